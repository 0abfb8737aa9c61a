"""A second question about the same document: time to the first token, from memory and from disk.

    python benchmarks/prefix.py [--model FILE.gguf] [--tokens 4000] [--rounds 5]

First: the document and a question are read for the first time. Second: another question about it in the same
process. Conversations: the same after another document was read in between. Restored: a new process loads the model
(not counted), then the saved memory, and is asked (both counted). Claims: second at most 2% of first, restored at
most 5%, and the file no larger than the KV cache of its tokens (1% for the list of tokens and positions).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from long_prompts import rule_book

from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.gguf.header import read_gguf_header
from chinese_llm_rag.llms.gguf.plan import gguf_shape
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path

SECOND, RESTORED, SIZE = 0.02, 0.05, 1.01
PARAMS = GenerationParams(temperature=0.0, max_tokens=8)
QUESTIONS = ("问：第三条说的是谁？\n答：", "问：第七条的编号是多少？\n答：")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--restore", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--document", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.restore:
        print(restored(options.model, options.tokens, options.restore, options.document.read_text("utf-8")))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        measure(path, options.tokens, options.rounds, Path(folder))


def open_model(path: Path, n_tokens: int) -> LlamaCppBackend:
    return LlamaCppBackend(path, context_window=n_tokens + 512)


def first_token(backend: LlamaCppBackend, prompt: str) -> float:
    """Seconds until the first token is there."""
    started = time.perf_counter()
    stream = backend.generate(prompt, PARAMS)
    next(piece for piece in stream if piece.n_tokens)
    seconds = time.perf_counter() - started
    stream.close()
    return seconds


def measure(path: Path, n_tokens: int, rounds: int, folder: Path) -> None:
    backend = open_model(path, n_tokens)
    times: dict[str, list[float]] = {"first": [], "second": [], "conversations": [], "restored": []}
    sizes = []
    for number in range(rounds):
        document, other = ("".join(rule_book(n_tokens, backend.count_tokens, seed=2 * number + n)) for n in (1, 2))
        times["first"].append(first_token(backend, document + QUESTIONS[0]))
        times["second"].append(first_token(backend, document + QUESTIONS[1]))
        memory, text = folder / "document.memory", folder / "document.txt"
        text.write_text(document, encoding="utf-8")
        sizes.append(backend.save_prefix(document, memory) / kv_size(path, backend.count_tokens(document)))
        first_token(backend, other + QUESTIONS[0])
        times["conversations"].append(first_token(backend, document + QUESTIONS[1]))
        command = [sys.executable, __file__, "--model", str(path), "--tokens", str(n_tokens)]
        command += ["--restore", str(memory), "--document", str(text)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times["restored"].append(float(done.stdout))
    backend.close()
    report(times, statistics.median(sizes), n_tokens)


def kv_size(path: Path, n_tokens: int) -> int:
    """Bytes of the f16 keys and values of so many tokens and BOS."""
    shape = gguf_shape((read_gguf_header(path),))
    return (n_tokens + 1) * sum(2 * (layer.key_width + layer.value_width) for layer in shape.kv_layers)


def restored(path: Path, n_tokens: int, memory: Path, document: str) -> float:
    backend = open_model(path, n_tokens)
    first_token(backend, "预热")  # the model's pages are in memory: loading is left aside
    started = time.perf_counter()
    backend.load_prefix(memory)
    first_token(backend, document + QUESTIONS[1])
    seconds = time.perf_counter() - started
    backend.close()
    return seconds


def report(times: dict[str, list[float]], size: float, n_tokens: int) -> None:
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times["first"], strict=True))
        target = {"second": SECOND, "conversations": SECOND, "restored": RESTORED}.get(name)
        verdict = "" if target is None else f"target {target}: {'reached' if ratio <= target else 'MISSED'}"
        print(f"{name:14} {statistics.median(seconds):8.3f} s   {ratio:7.2%} of the first   {verdict}")
    print(f"saved memory of {n_tokens} tokens: {size:.4f} of its KV cache; {'reached' if size <= SIZE else 'MISSED'}")


if __name__ == "__main__":
    main()
