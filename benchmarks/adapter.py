"""What ChatChineseAlpaca costs over llama-cpp-python called directly: decoded tokens a second.

    python benchmarks/adapter.py [--model FILE.gguf] [--tokens 128] [--rounds 9]

All ways use one loaded model, one prompt (already in its memory) and one set of parameters, and take turns.
"Directly" is the bare loop over Llama.generate, which does not even turn tokens into text; LangChain's
streaming and llama-cpp-python's own streaming stand beside it. The claim: invoking reaches 0.97 of it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from langchain_core.messages import HumanMessage

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import conversation
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path

TARGET = 0.97
QUESTION = "请介绍一下江南的春天，从天气、花草和人们的生活三个方面来写。"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the packaged small model")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or packaged_model_path("gemma-3-270m-base", Path(folder))
        backend = LlamaCppBackend(path, context_window=2048)
        compare(backend, options.tokens, options.rounds)
        backend.close()


def compare(backend: LlamaCppBackend, max_tokens: int, rounds: int) -> None:
    llama = backend._llama  # noqa: SLF001  # the very model that the adapter uses
    messages = [HumanMessage(QUESTION)]
    tokens = [llama.token_bos(), *backend.token_ids(alpaca2_prompt(conversation(messages)))]
    chat = ChatChineseAlpaca(
        backend=backend, chat_template="alpaca2", temperature=0, repetition_penalty=1.1, max_tokens=max_tokens
    )
    sampling = {"temp": 0.0, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.1}

    def directly() -> int:
        n = 0
        for token in llama.generate(tokens, **sampling):
            if n == max_tokens or token == llama.token_eos():
                return n
            n += 1
        return n

    def completion() -> int:
        pieces = llama.create_completion(
            tokens, max_tokens=max_tokens, temperature=0, top_p=0.9, min_p=0.0, repeat_penalty=1.1, stream=True
        )
        return sum(1 for _ in pieces) - 1

    def invoke() -> int:
        return chat.invoke(messages).usage_metadata["output_tokens"]

    def stream() -> int:
        return max(c.usage_metadata["output_tokens"] for c in chat.stream(messages) if c.usage_metadata)

    ways: dict[str, Callable[[], int]] = {
        "Llama.generate": directly,
        "Llama.create_completion, streamed": completion,
        "ChatChineseAlpaca.invoke": invoke,
        "ChatChineseAlpaca.stream": stream,
    }
    print(f"{backend.model_name}: {rounds} rounds of {max_tokens} tokens, in turn")
    report(take_turns(ways, rounds))


def take_turns(ways: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Tokens a second of each way in each round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # warm: the prompt is in memory from here on
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            n = way()
            rates[name].append(n / (time.perf_counter() - started))
    return rates


def report(rates: dict[str, list[float]]) -> None:
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, rates["Llama.generate"], strict=True))
        for name, values in rates.items()
    }
    for name, values in rates.items():
        print(f"{name:36} {statistics.median(values):7.1f} tokens/s   ratio {ratios[name]:.3f}")
    verdict = "reached" if ratios["ChatChineseAlpaca.invoke"] >= TARGET else "MISSED"
    print(f"target {TARGET} for invoke: {verdict}")


if __name__ == "__main__":
    main()
