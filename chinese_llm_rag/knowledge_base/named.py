"""Several bases below one folder, each in a folder of its name: which there are, and how one is deleted."""

import shutil
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.failures import storage_errors
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.knowledge_base.lock import writer_lock
from chinese_llm_rag.language import say


def base_names(folder: Path) -> list[str]:
    """The names of the bases below a folder, in order."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name[0] != "." and Generations(path).exists())


def delete_base(folder: Path) -> None:
    """Delete a base with all that its folder holds. It is gone in one step; an interrupted run leaves only waste.

    Raises:
        KnowledgeBaseError: there is none, somebody writes to it, or the disk refuses.
    """
    if not Generations(folder).exists():
        raise KnowledgeBaseError(
            say(f"there is no knowledge base in {str(folder)!r}", f"{str(folder)!r} 中没有知识库"),
            folder=folder,
            hint=say("see all with: clrag kb list", "用 clrag kb list 查看所有知识库"),
        )
    waste = folder.with_name(f".{folder.name}.deleted")
    with storage_errors(folder):
        if waste.exists():
            shutil.rmtree(waste)
        with writer_lock(folder):
            folder.rename(waste)
        shutil.rmtree(waste)
