"""What a chain is asked: a question, or a question with what belongs to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from chinese_llm_rag.chains.exchange import Exchange, exchanges
from chinese_llm_rag.chains.qa_prompt import Detail
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_KEYS = ("question", "queries", "history", "detail")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question; `queries` are searched for it, `history` are earlier exchanges, oldest first."""

    question: str
    queries: tuple[str, ...]
    history: tuple[Exchange, ...] = ()
    detail: Detail = "short"

    @classmethod
    def of(cls, given: object, detail: Detail = "short") -> "Asked":
        """What a caller gave: a str, or a mapping with `question` and, if wanted, the other fields.

        `history` is exchanges, (question, answer) pairs, or LangChain's messages.

        Raises:
            ConfigError: something else, an empty question, an unknown key.
        """
        fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {"question": given}
        if unknown := sorted(map(str, set(fields) - set(_KEYS))):
            expected = ", ".join(_KEYS)
            raise ConfigError(
                say(f"unknown key {unknown[0]!r}: expected {expected}", f"未知的键 {unknown[0]!r}，可用：{expected}"),
                setting=unknown[0],
            )
        question = _text(fields.get("question"), "question")
        queries = fields.get("queries") or (question,)
        wanted = fields.get("detail") or detail
        if wanted not in get_args(Detail):
            expected = ", ".join(get_args(Detail))
            raise ConfigError(
                say(f"detail={wanted!r}: expected {expected}", f"detail={wanted!r} 无效，应为 {expected}"),
                setting="detail",
            )
        return cls(
            question,
            tuple(_text(query, "queries") for query in ([queries] if isinstance(queries, str) else queries)),
            exchanges(fields.get("history") or ()),
            cast("Detail", wanted),
        )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(
            say(f"the {name} is {value!r}, expected a str", f"{name} 应为字符串，而不是 {value!r}"), setting=name
        )
    if not value.strip():
        raise ConfigError(
            say(f"the {name} is empty", f"{name} 为空"), setting=name, hint=say("ask something", "请输入问题")
        )
    return value
