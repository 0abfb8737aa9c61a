"""Which files of a base are meant by paths that a user names."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say

Paths = Iterable[Path | str] | Path | str


def listed(paths: Paths) -> list[Path]:
    """One path or several as a list."""
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def names_of(paths: Paths, known: Sequence[str], folder: Path) -> list[str]:
    """The names, among those that are known, of the files that are meant; a folder means all files in it.

    Raises:
        KnowledgeBaseError: a path means none of them; `folder` is the base that it was looked for in.
    """
    found: dict[str, None] = {}
    for path in listed(paths):
        absolute = os.path.abspath(path)  # noqa: PTH100  (as ingest names files: links are not resolved)
        names = [name for name in known if name in (str(path), absolute) or Path(absolute) in Path(name).parents]
        if not names:
            raise KnowledgeBaseError(
                say(f"{str(path)!r} is not in the knowledge base", f"知识库中没有 {str(path)!r}"),
                folder=folder,
                hint=say("see its files with: clrag list", "用 clrag list 查看已有文件"),
            )
        found.update(dict.fromkeys(names))
    return list(found)
