"""A document longer than the window a model was trained for, read once and asked twice.

    python examples/long_context.py chinese-alpaca-2-1.3b.Q8_0.gguf --window 12288
    python examples/long_context.py chinese-alpaca-2-7b-16k --document 合同.txt "违约金是多少？" "合同几年？"

The model is a GGUF file (the `llamacpp` extra) or a Hugging Face folder (`hf`). Its RoPE is the one it was trained
with, whatever an old file leaves unsaid; beyond the trained window the family's adaptive NTK takes over, fixed for
each request by its length. A window no model can take, or one that does not fit the memory, is refused before
anything is loaded. The second question comes back sooner, because the document is not read again.
"""

import argparse
import time
from pathlib import Path

from langchain_core.messages import HumanMessage

from chinese_llm_rag import ChatChineseAlpaca
from chinese_llm_rag.llms.rope import request_rope

QUESTIONS = ["第二百一十七条说的是什么？", "第三百条说的是什么？"]
RULES = "\n".join(
    f"第{number}条：{place}的灯在{number % 24}点以后由值班的人关闭。"
    for number in range(1, 401)
    for place in (["东楼", "西楼", "南楼", "北楼"][number % 4],)
)


def main() -> None:
    """Load the model at the window asked for, then ask."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path, help="a GGUF file or a Hugging Face folder")
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    parser.add_argument("--document", type=Path, help="a text file; by default a long list of rules")
    parser.add_argument("--window", type=int, help="tokens; by default what the model was trained for")
    parser.add_argument("--max-tokens", type=int, default=100)
    arguments = parser.parse_intermixed_args()
    text = arguments.document.read_text(encoding="utf-8") if arguments.document else RULES
    load = ChatChineseAlpaca.from_gguf if arguments.model.suffix == ".gguf" else ChatChineseAlpaca.from_pretrained
    chat = load(
        str(arguments.model),
        backend_options={"context_window": arguments.window},
        temperature=0,
        max_tokens=arguments.max_tokens,
    )
    backend = chat.backend
    print(f"{backend.model_name}: window {backend.context_window}, rope {backend.rope}")

    for question in arguments.questions:
        messages = [HumanMessage(f"{text}\n\n问题：{question}")]
        n_tokens = 1 + chat.get_num_tokens_from_messages(messages)
        started = time.perf_counter()
        pieces = chat.stream(messages)
        answer = next(pieces).text
        waited = time.perf_counter() - started
        answer += "".join(piece.text for piece in pieces)
        rope = request_rope(backend.rope, n_tokens + arguments.max_tokens, context_window=backend.context_window)
        print(f"{n_tokens} tokens with rope {rope}, first words after {waited:.2f} s: {answer}")


if __name__ == "__main__":
    main()
