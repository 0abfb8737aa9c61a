"""What ChatChineseAlpaca costs over transformers' own generate(): decoded and prompt tokens a second.

    python benchmarks/adapter_transformers.py [--width 512] [--layers 8] [--tokens 64] [--rounds 9]

One set of random weights, made here, is loaded by each; they take turns with the same prompts and parameters.
"Directly" is model.generate() on token ids, which turns no text into tokens and no tokens into text. Decoding: a
short prompt. Prefill: another long prompt every time, one token generated. Claims: both reach 0.95.

generate() keeps nothing of a prompt, so neither does the adapter that is held to the claims. What keeping it costs
beside reading the next one, by default, is shown below them: it is a copy of the KV cache into new memory, which grows
with a model's width as reading grows with its square, and which some virtual machines are slow to give.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from llm_parity import load_small_models

from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import conversation
from chinese_llm_rag.llms.huggingface import TransformersBackend

TARGET = 0.95
WINDOW = 4096
QUESTION = "小城的清晨从卖豆浆的铺子开始"
SENTENCE = "热气一出来，整条街就醒了，骑车的人放慢速度。The library opens at nine and closes at six. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    limit_pools(thread_budget())  # before torch is imported
    with tempfile.TemporaryDirectory() as folder:
        small_models = load_small_models()
        shape = {"width": options.width, "heads": 8, "layers": options.layers, "context_length": WINDOW}
        path = small_models.write_folder(
            Path(folder) / "model", small_models.train_vocabulary(), small_models.random_weights(1), **shape
        )
        backend = TransformersBackend(path, prefix_bytes=0)
        network = load_directly(path)
        print(f"width {options.width}, {options.layers} layers: {options.rounds} rounds, in turn")
        short = [f"{i}、{QUESTION}" for i in range(options.rounds + 1)]
        long = [f"{i}、" + SENTENCE * 60 for i in range(options.rounds + 1)]
        report("decoding", ways(backend, network, options.tokens), short, count_prompt=False)
        report("prefill", ways(backend, network, 1), long, count_prompt=True)
        backend.close()
        keeping = TransformersBackend(path)
        report("prefill, kept", ways(keeping, network, 1), long, count_prompt=True, claimed=False)
        keeping.close()


def load_directly(path: Path) -> Any:  # noqa: ANN401
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(path, local_files_only=True).eval()


Way = Callable[[str], tuple[int, int]]


def ways(backend: TransformersBackend, network: Any, max_tokens: int) -> dict[str, Way]:  # noqa: ANN401
    """Each gives how many tokens it read and how many it generated."""
    import torch

    chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=max_tokens)

    def directly(question: str) -> tuple[int, int]:
        ids = torch.tensor([[1, *backend.token_ids(alpaca2_prompt(conversation([HumanMessage(question)])))]])
        generated = network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            repetition_penalty=1.1,
            max_new_tokens=max_tokens,
            pad_token_id=0,
        )
        return ids.shape[1], generated.shape[1] - ids.shape[1]

    def invoke(question: str) -> tuple[int, int]:
        usage = chat.invoke([HumanMessage(question)]).usage_metadata
        return usage["input_tokens"], usage["output_tokens"]

    def stream(question: str) -> tuple[int, int]:
        [usage] = [c.usage_metadata for c in chat.stream([HumanMessage(question)]) if c.usage_metadata]
        return usage["input_tokens"], usage["output_tokens"]

    return {"model.generate": directly, "ChatChineseAlpaca.invoke": invoke, "ChatChineseAlpaca.stream": stream}


def report(what: str, ways: dict[str, Way], prompts: list[str], *, count_prompt: bool, claimed: bool = True) -> None:
    """Every way answers every prompt; another way's memory of it is no help, since each prompt is new to it."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    forget = "。"
    for prompt in prompts:
        for place, (name, way) in enumerate(ways.items()):
            started = time.perf_counter()
            n_read, n_generated = way(forget * place + prompt)
            rates[name].append((n_read if count_prompt else n_generated) / (time.perf_counter() - started))
    first = next(iter(rates))
    for name, values in rates.items():
        measured, reference = values[1:], rates[first][1:]  # the first round warms up
        ratio = statistics.median(a / b for a, b in zip(measured, reference, strict=True))
        held = claimed and name != first
        verdict = f"   target {TARGET}: {'reached' if ratio >= TARGET else 'MISSED'}" if held else ""
        print(
            f"{what:13} {name:26} {statistics.median(measured):8.1f} tokens/s   ratio {ratio:.3f}{verdict}", flush=True
        )


if __name__ == "__main__":
    main()
