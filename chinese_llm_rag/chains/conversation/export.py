"""A session as Markdown, for people. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from chinese_llm_rag.chains.conversation.sessions import Session
from chinese_llm_rag.language import say

# What Markdown and HTML would take for their own signs in the text of a user, a model or a document.
_SIGNS = re.compile(r"([\\`*_\[\]<>#|~&])")
_LINE_SIGN = re.compile(r"^(\s*)([-+=])", re.MULTILINE)


def session_markdown(session: Session) -> str:
    """The session as a page: each question with its answer, and where the answer stands in the documents."""
    lines = [f"# {_flat(session.name)}", ""]
    for number, turn in enumerate(session.turns, 1):
        reply = turn.reply
        lines += [f"## {number}. {_flat(reply['question'])}", ""]
        if reply["query"] != reply["question"]:
            lines += [say(f"Searched as: {_flat(reply['query'])}", f"检索用的问题：{_flat(reply['query'])}"), ""]
        lines += [_text(reply["answer"]["text"]), ""]
        if sources := list(_sources(reply["answer"]["citations"])):
            lines += [*sources, ""]
    return "\n".join(lines)


def _sources(citations: list[dict[str, Any]]) -> Iterator[str]:
    for citation in citations:
        pages = f"{citation['page_start']}-{citation['page_end']}"
        page = pages.split("-", maxsplit=1)[0] if citation["page_start"] == citation["page_end"] else pages
        place = say(
            f"page {page}, characters {citation['start']}-{citation['end']}",
            f"第 {page} 页，第 {citation['start']}-{citation['end']} 字符",
        )
        yield f"- {_flat(citation['file'])}, {place}: “{_flat(citation['text'])}”"


def _flat(text: str) -> str:
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def _text(text: str) -> str:
    return _LINE_SIGN.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", text.strip()))
