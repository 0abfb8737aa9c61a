"""The options that hold a search to some of the documents, and the filter that they make."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from chinese_llm_rag import console
from chinese_llm_rag.cli.options import option, with_options
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base import KnowledgeBase, PassageFilter

FILTER_OPTIONS: dict[str, Any] = {
    "file": Annotated[
        list[str] | None,
        option(
            "Only this file: a path, the end of one, or a pattern with *; may be repeated.",
            "只在该文件中检索：路径、路径结尾或含 * 的模式，可重复给出。",
            "--file",
        ),
    ],
    "folder": Annotated[
        list[str] | None,
        option("Only files below this folder; may be repeated.", "只检索该文件夹下的文件，可重复给出。", "--folder"),
    ],
    "page": Annotated[
        str | None, option("Only these pages: 3, 3-10 or 3-.", "只检索这些页：3、3-10 或 3-。", "--page")
    ],
    "tag": Annotated[
        list[str] | None,
        option(
            "Only files with this tag; repeated, with all of them.",
            "只检索带该标签的文件；重复给出时须全部具备。",
            "--tag",
        ),
    ],
    "since": Annotated[
        str | None,
        option(
            "Only files last changed on or after this day, month or year.",
            "只检索在该日期（或月、年）当天及以后修改的文件。",
            "--since",
        ),
    ],
    "until": Annotated[
        str | None,
        option(
            "Only files last changed on or before this day, month or year.",
            "只检索在该日期（或月、年）当天及以前修改的文件。",
            "--until",
        ),
    ],
}


def with_filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with all of FILTER_OPTIONS; what was given of them comes as the keyword `passage_filter`."""
    return with_options(command, FILTER_OPTIONS, "passage_filter", _parsed)


def note_no_match(base: "KnowledgeBase", passage_filter: "PassageFilter | None") -> None:
    """Say so where a filter lets no file through."""
    if passage_filter and not base.matching(passage_filter):
        wanted = passage_filter.describe()
        console.note(say(f"no document meets this: {wanted}", f"没有符合条件的文档：{wanted}"))


def _parsed(given: dict[str, Any]) -> "PassageFilter | None":
    if not any(given.values()):
        return None
    from chinese_llm_rag.knowledge_base import PassageFilter  # noqa: PLC0415

    return PassageFilter.parse(
        files=given["file"] or (),
        folders=given["folder"] or (),
        page=given["page"],
        since=given["since"],
        until=given["until"],
        tags=given["tag"] or (),
    )
