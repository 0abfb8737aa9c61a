"""What prompt lookup gives on answers that quote their context, and costs on answers that do not.

    python benchmarks/prompt_lookup.py [--model FILE.gguf] [--prompt-tokens 8000] [--tokens 96] [--rounds 5]

One model, the same prompts, with and without drafts in turn; the time is that of decoding alone, after the prompt is
in memory. Quoting: the prompt asks for a paragraph word for word and greedy decoding copies it. Not quoting: sampled
at a temperature at which the model says something of its own. Both give the same text with and without drafts, which
is shown, but for near ties of a quantized model, after which it goes its own way. Claims: 1.3 and 0.95.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from long_prompts import rule_book

from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.in_process.speculation import PromptLookup
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path

QUOTING, NOT_QUOTING = 1.3, 0.95
DEMO = Path(__file__).parents[1] / "demo"


@dataclass
class Case:
    """A prompt, and how to answer it."""

    name: str
    prompt: str
    params: GenerationParams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--prompt-tokens", type=int, default=8000)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        backend = LlamaCppBackend(path, context_window=options.prompt_tokens + 1024)
        try:
            report(backend, cases(backend, options.prompt_tokens, options.tokens), options.rounds)
        finally:
            backend.close()


def cases(backend: LlamaCppBackend, n_tokens: int, n_answer: int) -> list[Case]:
    paragraphs = document_paragraphs()
    book = "".join(rule_book(n_tokens, backend.count_tokens))
    greedy = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=n_answer)
    quoting = [
        Case(f"quoting {n}", f"{book}\n\n原文：{quoted}\n逐字抄写一遍：{quoted[:12]}", greedy)
        for n, quoted in enumerate(paragraphs[:4], start=1)
    ]
    own = [
        Case(
            f"not quoting {seed}",
            f"{book}\n\n原文：{paragraphs[0]}\n以下是一篇与上文无关的旅行日记。\n第{seed}天，",
            GenerationParams(
                temperature=1.0, top_k=0, top_p=0.95, repetition_penalty=1.0, seed=seed, max_tokens=n_answer
            ),
        )
        for seed in (1, 2, 3, 4)
    ]
    return quoting + own


def document_paragraphs() -> list[str]:
    """The longest paragraphs of the demo's documents: prose, no two alike."""
    lines = [line.strip() for path in sorted(DEMO.glob("*.typ")) for line in path.read_text("utf-8").splitlines()]
    prose = [line for line in lines if len(line) > 100 and not line.startswith(("#", "=", "-", "//"))]
    return sorted(prose, key=len, reverse=True)


def report(backend: LlamaCppBackend, all_cases: list[Case], rounds: int) -> None:
    ratios: dict[str, list[float]] = {"quoting": [], "not quoting": []}
    for case in all_cases:
        times: dict[bool, list[float]] = {False: [], True: []}
        texts: dict[bool, str] = {}
        for _ in range(rounds):
            for drafting in (False, True):
                backend._drafter = PromptLookup() if drafting else None  # noqa: SLF001  # one model for both
                seconds, texts[drafting] = decode(backend, case)
                times[drafting].append(seconds)
        ratio = statistics.median(a / b for a, b in zip(times[False], times[True], strict=True))
        ratios[case.name.rpartition(" ")[0]].append(ratio)
        same = (
            "same text" if texts[False] == texts[True] else f"differs after {common(texts[False], texts[True])} chars"
        )
        rate = len(backend.token_ids(texts[True])) / statistics.median(times[True])
        print(f"{case.name:14} ratio {ratio:5.2f}  {rate:5.1f} tokens/s  {same}", flush=True)
    for name, target in (("quoting", QUOTING), ("not quoting", NOT_QUOTING)):
        worst, middle = min(ratios[name]), statistics.median(ratios[name])
        value = middle if name == "quoting" else worst
        verdict = "reached" if value >= target else "MISSED"
        print(f"{name}: median {middle:.2f}, least {worst:.2f}; target {target}: {verdict}")


def decode(backend: LlamaCppBackend, case: Case) -> tuple[float, str]:
    """Seconds from the first token to the last, and the text."""
    started, last, text = 0.0, 0.0, ""
    for piece in backend.generate(case.prompt, case.params):
        if piece.n_tokens:
            started = started or time.perf_counter()
            last = time.perf_counter()
            text += piece.text
    return last - started, text


def common(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


if __name__ == "__main__":
    main()
