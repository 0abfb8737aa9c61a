"""A question that leans on what was said before -> the question as it stands by itself, by a language model."""

from collections.abc import Callable, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser

from chinese_llm_rag.chains.exchange import Exchange
from chinese_llm_rag.chains.qa_model import ModelSource
from chinese_llm_rag.packing import plan

# From a question and what was said before to the question by itself; "" where that was not found.
Rewrite = Callable[[str, Sequence[Exchange]], str]

REWRITE_PROMPT = """根据对话，把最后的问题改写成不看对话也能懂的一个问题，意思不变。只写改写后的问题。

问：图书馆周末几点开放？
答：上午十点。
最后的问题：那平时呢？
改写：图书馆平时几点开放？

问：黄河发源于哪里？
答：黄河发源于巴颜喀拉山脉。
最后的问题：它全长多少公里？
改写：黄河全长多少公里？

{history}
最后的问题：{question}
改写："""
_EXCHANGE = "问：{question}\n答：{answer}"
_LONGEST_QUERY = 200


def llm_rewrite(source: ModelSource) -> Rewrite:
    """Rewriting by a chat model or a base model; it reads as much of the conversation as fits its window."""

    def prompt(question: str, history: Sequence[Exchange]) -> str:
        said = "\n".join(
            _EXCHANGE.format(question=_line(one.standing_alone), answer=_line(one.answer)) for one in history
        )
        return REWRITE_PROMPT.format(history=said, question=_line(question))

    def rewrite(question: str, history: Sequence[Exchange]) -> str:
        model = source()
        answer = model.llm.bind(stop=["\n"]) | StrOutputParser()

        def count(text: str) -> int:
            return model.count([HumanMessage(text)] if isinstance(model.llm, BaseChatModel) else text)

        read = plan(model.window, lambda _, turns: count(prompt(question, turns)), (), history).history
        said = answer.invoke(prompt(question, read)).strip()
        query = said.splitlines()[0].removeprefix("改写：").strip() if said else ""
        return query if len(query) <= _LONGEST_QUERY else ""

    return rewrite


def _line(text: str) -> str:
    return " ".join(text.split())
