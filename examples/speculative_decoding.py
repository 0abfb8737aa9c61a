"""The same answer, sooner: guesses ahead that the model checks several at a time.

    python examples/speculative_decoding.py
    python examples/speculative_decoding.py chinese-alpaca-2-7b.Q4_K_M.gguf --draft chinese-alpaca-2-1.3b.Q4_K_M.gguf

Two ways to guess: what followed the same words before (prompt lookup, which needs no second model and helps where an
answer quotes), or a smaller model of the same vocabulary. The text stays the model's own; greedy texts are the same
up to near ties of quantized weights. Without arguments the packaged small base model copies a paragraph.
"""

import argparse
import time
from pathlib import Path

from chinese_llm_rag import ChineseAlpacaLLM
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.settings import load_settings

PARAGRAPH = (
    "社区活动室每周二和周四开放，周二下午两点到五点是书法课，周四上午九点到十一点是合唱团排练。"
    "参加者请提前一天在门口的登记表上写下姓名和电话，每次最多二十人，满员以后顺延到下一周。"
)
PROMPT = f"原文：{PARAGRAPH}\n逐字抄写一遍：{PARAGRAPH[:8]}"


def main() -> None:
    """Answer plainly, then with guesses, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_path", nargs="?", type=Path, help="a GGUF file; the packaged model by default")
    parser.add_argument("--draft", type=Path, help="a smaller GGUF file of the same vocabulary")
    parser.add_argument("--max-tokens", type=int, default=64)
    arguments = parser.parse_args()
    model_path = arguments.model_path or packaged_model_path(
        "gemma-3-270m-base", load_settings().settings.models_folder
    )
    guesses = {"draft_model": arguments.draft} if arguments.draft else {"prompt_lookup": True}
    texts = []
    for name, options in (("plain", {}), (next(iter(guesses)), guesses)):
        llm = ChineseAlpacaLLM.from_gguf(
            str(model_path),
            backend_options={"context_window": 1024, **options},
            temperature=0,
            repetition_penalty=1.0,
            max_tokens=arguments.max_tokens,
        )
        llm.invoke(PROMPT, max_tokens=1)  # the prompt is read; from here on only decoding takes time
        started = time.perf_counter()
        texts.append(llm.invoke(PROMPT))
        print(f"{name}: {time.perf_counter() - started:.2f} s: {texts[-1]!r}")
        llm.backend.close()
    print("the same text" if texts[0] == texts[1] else "the texts part at a near tie")


if __name__ == "__main__":
    main()
