"""An answer as an object: the model can only write what the schema allows.

    python examples/structured_output.py chinese-alpaca-2-7b.Q4_K_M.gguf
    python examples/structured_output.py chinese-alpaca-2-7b.Q4_K_M.gguf "周五下午三点在二楼开会，请小组长参加。"

The schema becomes a grammar, and every token has to keep to it; what no grammar knows, such as bounds of numbers, is
checked afterwards. An answer that max_tokens cuts short is an error, not half an object.
"""

import argparse
from typing import Literal

from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, Field

from chinese_llm_rag import ChatChineseAlpaca

NOTICE = "本周四上午九点到十一点合唱团在活动室排练，最多二十人参加。"
PROMPT = ChatPromptTemplate([("human", "从下面的通知中提取信息。\n\n{notice}")])


class Event(BaseModel):
    """What a notice announces."""

    weekday: Literal["周一", "周二", "周三", "周四", "周五", "周六", "周日"]
    start_hour: Literal[tuple(range(24))]  # type: ignore[valid-type]
    place: str = Field(max_length=12)
    needs_registration: bool


def main() -> None:
    """Extract an event from a notice."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_path", help="a GGUF file of a chat model")
    parser.add_argument("notice", nargs="?", default=NOTICE)
    arguments = parser.parse_args()
    model = ChatChineseAlpaca.from_gguf(arguments.model_path, temperature=0, max_tokens=200)
    event = (PROMPT | model.with_structured_output(Event)).invoke({"notice": arguments.notice})
    print(event.model_dump_json())


if __name__ == "__main__":
    main()
