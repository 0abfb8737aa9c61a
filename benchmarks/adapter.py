"""What ChatChineseAlpaca costs over llama-cpp-python called directly: decoded and prompt tokens a second.

    python benchmarks/adapter.py [--model FILE.gguf] [--tokens 128] [--rounds 9]

The same file is loaded twice, once by each; they take turns with one prompt and one set of parameters. Decoding:
the prompt is already in memory, and "directly" is the bare loop over Llama.generate, which does not even turn tokens
into text. Prefill: another prompt every time, one token generated. Claims: both reach 0.97.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import llama_cpp
from langchain_core.messages import HumanMessage
from long_prompts import rule_book

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import conversation
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path

TARGET = 0.97
WINDOW = 2048
PREFILL_TOKENS = 1200
QUESTION = "请介绍一下江南的春天，从天气、花草和人们的生活三个方面来写。"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        backend = LlamaCppBackend(path, context_window=WINDOW)
        llama = llama_cpp.Llama(
            str(path), n_ctx=WINDOW, n_batch=512, n_threads_batch=None, flash_attn=True, verbose=False
        )
        llama.n_threads = backend._model._options.n_threads  # noqa: SLF001
        llama_cpp.llama_set_n_threads(llama.ctx, llama.n_threads, llama.n_threads)
        print(f"{backend.model_name}: {options.rounds} rounds, in turn")
        report("decoding", decoding(backend, llama, options.tokens), options.rounds)
        report("prefill", prefill(backend, llama), options.rounds)
        backend.close()
        llama.close()


def decoding(backend: LlamaCppBackend, llama: llama_cpp.Llama, max_tokens: int) -> dict[str, Callable[[], int]]:
    messages = [HumanMessage(QUESTION)]
    tokens = [llama.token_bos(), *backend.token_ids(alpaca2_prompt(conversation(messages)))]
    chat = ChatChineseAlpaca(
        backend=backend, chat_template="alpaca2", temperature=0, repetition_penalty=1.1, max_tokens=max_tokens
    )

    def directly() -> int:
        n = 0
        sampled = llama.generate(tokens, temp=0.0, top_k=40, top_p=0.9, min_p=0.0, repeat_penalty=1.1)
        for n, token in enumerate(sampled, start=1):
            if n == max_tokens or token == llama.token_eos():
                break
        return n

    return {
        "Llama.generate": directly,
        "ChatChineseAlpaca.invoke": lambda: chat.invoke(messages).usage_metadata["output_tokens"],
        "ChatChineseAlpaca.stream": lambda: max(
            chunk.usage_metadata["output_tokens"] for chunk in chat.stream(messages) if chunk.usage_metadata
        ),
    }


def prefill(backend: LlamaCppBackend, llama: llama_cpp.Llama) -> dict[str, Callable[[], int]]:
    chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=1)
    backend._prefixes.clear()  # noqa: SLF001  # every prompt is new; none is to be put aside or found
    seeds = {"ours": 0, "theirs": 0}

    def prompt(who: str) -> list[HumanMessage]:
        seeds[who] += 1
        book = rule_book(PREFILL_TOKENS, backend.count_tokens, seed=seeds[who])
        return [HumanMessage("".join(book))]

    prompts = [prompt("ours") for _ in range(12)]
    ids = [[llama.token_bos(), *backend.token_ids(alpaca2_prompt(conversation(p)))] for p in prompts]
    turn = {"ours": 0, "theirs": 0}

    def directly() -> int:
        turn["theirs"] += 1
        tokens = ids[turn["theirs"] % len(ids)]
        next(llama.generate(tokens, temp=0.0))
        return len(tokens)

    def ours() -> int:
        turn["ours"] += 1
        return chat.invoke(prompts[turn["ours"] % len(prompts)]).usage_metadata["input_tokens"]

    return {"Llama.generate": directly, "ChatChineseAlpaca.invoke": ours}


def report(what: str, ways: dict[str, Callable[[], int]], rounds: int) -> None:
    rates = take_turns(ways, rounds)
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, rates["Llama.generate"], strict=True))
        for name, values in rates.items()
    }
    for name, values in rates.items():
        print(f"{what:9} {name:26} {statistics.median(values):8.1f} tokens/s   ratio {ratios[name]:.3f}")
    verdict = "reached" if ratios["ChatChineseAlpaca.invoke"] >= TARGET else "MISSED"
    print(f"{what}: target {TARGET} for invoke: {verdict}", flush=True)


def take_turns(ways: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Tokens a second of each way in each round; who begins changes from round to round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # warm: for decoding, the prompt is in memory from here on
    for number in range(rounds):
        order = list(ways.items())
        for name, way in order if number % 2 else order[::-1]:
            started = time.perf_counter()
            n = way()
            rates[name].append(n / (time.perf_counter() - started))
    return rates


if __name__ == "__main__":
    main()
