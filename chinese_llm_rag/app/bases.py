"""The knowledge bases of the program's home, by name: each opened once, shared by searches and the one writer."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag import wiring
from chinese_llm_rag.app.embedders import Embedders
from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.app.names import base_name
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.knowledge_base.named import base_names, delete_base
from chinese_llm_rag.language import say
from chinese_llm_rag.settings import Settings


@dataclass(slots=True)
class _Opened:
    base: KnowledgeBase
    n_users: int = 0


class Bases:
    """Opened knowledge bases. All methods may be called from several threads; opening one blocks."""

    def __init__(self, settings: Settings, embedders: Embedders) -> None:
        self.settings = settings
        self._embedders = embedders
        self._lock = threading.RLock()
        self._opened: dict[str, _Opened] = {}

    def settings_of(self, name: str) -> Settings:
        """The settings with this base."""
        return self.settings.model_copy(update={"kb": base_name(name)})

    def names(self) -> list[str]:
        """The bases that exist, by name."""
        return base_names(self.settings.kb_folder.parent)

    def exists(self, name: str) -> bool:
        """Whether there is such a base."""
        return Generations(self.settings_of(name).kb_folder).exists()

    def require(self, name: str) -> None:
        """Refuse a name that no base has."""
        if not self.exists(name):
            raise RefusedError(
                "not_found",
                say(f"there is no knowledge base {name!r}", f"没有名为 {name!r} 的知识库"),
                hint=say("make it, or put a document into it", "请先新建，或向其中添加文档"),
                setting="kb",
            )

    @contextmanager
    def using(self, name: str, *, create: bool = False) -> Iterator[KnowledgeBase]:
        """A base, open while the block runs; one that another program has replaced is opened anew.

        Raises:
            RefusedError: there is none ("not_found").
            KnowledgeBaseError: it cannot be opened.
        """
        opened = self._enter(name, create=create)
        try:
            yield opened.base
        finally:
            with self._lock:
                opened.n_users -= 1

    def _enter(self, name: str, *, create: bool) -> _Opened:
        with self._lock:
            settings = self.settings_of(name)
            if not create:
                self.require(name)
            opened = self._opened.get(name)
            if opened is not None and not opened.n_users and not opened.base.in_force:
                self._opened.pop(name).base.close()
                opened = None
            if opened is None:
                base = wiring.open_knowledge_base(
                    settings, search=True, create=create, embeddings_for=self._embedders.of
                )
                opened = self._opened[name] = _Opened(base)
            opened.n_users += 1
            return opened

    def delete(self, name: str) -> None:
        """Delete a base and all that was uploaded to it.

        Raises:
            RefusedError: it is in use, or there is none.
        """
        with self._lock:
            self.require(name)
            opened = self._opened.get(name)
            if opened is not None and opened.n_users:
                raise RefusedError(
                    "conflict",
                    say(f"the knowledge base {name!r} is in use", f"知识库 {name!r} 正在使用中"),
                    hint=say("try again when it has finished", "请在其完成后重试"),
                )
            if opened is not None:
                self._opened.pop(name).base.close()
            delete_base(self.settings_of(name).kb_folder)
            shutil.rmtree(self.documents_folder(name), ignore_errors=True)

    def documents_folder(self, name: str) -> Path:
        """Where documents that were uploaded to a base are kept."""
        return self.settings.home / "documents" / base_name(name)

    def incoming_folder(self) -> Path:
        """Where uploads lie while they arrive; a name that no base can have."""
        return self.settings.home / "documents" / ".incoming"

    def close(self) -> None:
        """Close all."""
        with self._lock:
            for opened in self._opened.values():
                opened.base.close()
            self._opened.clear()
