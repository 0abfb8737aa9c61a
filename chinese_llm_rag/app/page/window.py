"""What the parts of one window share: the controller, the conversations, the language, the base that is looked at."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nicegui import app as nicegui_app
from nicegui import ui

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.conversations import Conversation, Conversations
from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.page.words import Words

T = TypeVar("T")


@dataclass(slots=True)
class Window:
    """One browser window.

    Attributes:
        client: what its questions wait in line as.
        on_base: called when another base is looked at.
    """

    controller: Controller
    conversations: Conversations
    words: Words
    client: str = field(default_factory=lambda: f"page {uuid.uuid4().hex}")
    on_base: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def kb(self) -> str:
        """The base that is looked at."""
        known = self.controller.base_names()
        kept = nicegui_app.storage.user.get("kb")
        if kept in known:
            return str(kept)
        usual = self.controller.settings.kb
        return usual if usual in known or not known else known[0]

    def look_at(self, kb: str) -> None:
        """Look at another base."""
        nicegui_app.storage.user["kb"] = kb
        for told in self.on_base:
            told()

    @property
    def conversation(self) -> Conversation:
        """The conversation that is open, over the base that is looked at; the newest one at first."""
        kept = self.conversations.get(nicegui_app.storage.user.get("conversation"))
        if kept is not None and kept.kb == self.kb:
            return kept
        known = self.conversations.of(self.kb)
        opened = known[0] if known else self.conversations.begin(self.kb)
        self.open(opened)
        return opened

    def open(self, conversation: Conversation) -> None:
        """Open a conversation."""
        nicegui_app.storage.user["conversation"] = conversation.id

    def unwrap(self, result: T | Failure) -> T | None:
        """The result; a Failure is shown, and None given."""
        if isinstance(result, Failure):
            self.tell(result)
            return None
        return result

    def tell(self, failure: Failure) -> None:
        """Show a failure."""
        text = failure.message if failure.hint is None else f"{failure.message}\n{failure.hint}"
        ui.notify(text, type="negative", multi_line=True, close_button=self.words("Close", "关闭"), timeout=15_000)
