"""What a knowledge base was built with, and the refusal to go on with anything else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say

FORMAT_VERSION = 2
OLDER_FORMATS = (1,)  # those that opening brings up to this one

_NAMES = {"embedding": ("embedding model", "嵌入模型"), "splitter": ("splitter", "切分方式")}


def check_format(version: object, folder: Path) -> None:
    """Refuse a knowledge base that another version of the format was written in."""
    if version != FORMAT_VERSION:
        raise KnowledgeBaseError(
            say(
                f"the knowledge base has format {version!r}, this program reads {FORMAT_VERSION}",
                f"知识库格式为 {version!r}，本程序可读取的格式为 {FORMAT_VERSION}",
            ),
            folder=folder,
            hint=say("use the program version that wrote it", "请使用写入它的程序版本"),
        )


def check_same(kind: str, stored: Mapping[str, Any] | None, given: Mapping[str, Any], folder: Path) -> None:
    """Refuse an "embedding" or a "splitter" that differs from the one on record.

    Raises:
        KnowledgeBaseError: names the fields that differ, as they are and as they were asked for.
    """
    if stored is None or stored == given:
        return
    english, chinese = _NAMES[kind]
    keys = [key for key in {**stored, **given} if stored.get(key) != given.get(key)]
    was, now = ({key: side.get(key) for key in keys} for side in (stored, given))
    raise KnowledgeBaseError(
        say(
            f"the knowledge base was built with another {english}: it has {was!r}, asked for is {now!r}",
            f"知识库是用另一种{chinese}建立的：其中为 {was!r}，当前要求 {now!r}",
        ),
        folder=folder,
        hint=say(
            "leave the setting out, change the base with: clrag kb reindex, or take another base with --kb NAME",
            "请去掉该设置，或用 clrag kb reindex 更换，或用 --kb 名称 另建一个知识库",
        ),
    )
