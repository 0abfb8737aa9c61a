"""Conversations of the page: questions and answers that outlive the window they were asked in.

An answer belongs to its conversation, not to whoever looks on: it goes on while the page is closed or loaded anew,
and what has come of it is on disk.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.names import base_name
from chinese_llm_rag.app.sampling import AskOptions
from chinese_llm_rag.app.views import Understood, answer_dict
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Answer

TurnState = Literal["running", "done", "stopped", "failed"]
_SAVE_EVERY_S = 1.0
_TITLE_CHARS = 40
_MOST_RECALLED = 20


@dataclass(slots=True)
class Exchange:
    """A question and what has come of its answer.

    Attributes:
        query: the question as it stands by itself, where it leans on earlier ones.
        text: of the answer so far.
        answer: the whole of it, as the server gives it; None while it runs and where it failed.
        trouble: why it failed.
        seconds: that it took.
    """

    question: str
    query: str = ""
    text: str = ""
    state: TurnState = "running"
    answer: dict[str, Any] | None = None
    trouble: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As it is on disk."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Conversation:
    """Exchanges over one knowledge base, oldest first."""

    kb: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    begun: float = field(default_factory=time.time)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The first question, shortened."""
        first = self.exchanges[0].question if self.exchanges else ""
        return first if len(first) <= _TITLE_CHARS else f"{first[: _TITLE_CHARS - 1]}…"

    @property
    def running(self) -> bool:
        """Whether an answer is being made."""
        return bool(self.exchanges) and self.exchanges[-1].state == "running"


class Conversations:
    """All conversations. For the tasks of one event loop.

    Args:
        controller: that is asked.
        folder: where they are kept.
    """

    def __init__(self, controller: Controller, folder: Path) -> None:
        self._controller = controller
        self._folder = folder
        self._known: dict[str, Conversation] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            if (found := _read(file)) is not None:
                self._known[found.id] = found

    def of(self, kb: str) -> list[Conversation]:
        """Those over a knowledge base, the newest first."""
        return sorted((c for c in self._known.values() if c.kb == kb and c.exchanges), key=lambda c: -c.begun)

    def get(self, conversation: str | None) -> Conversation | None:
        """One of them."""
        return self._known.get(conversation or "")

    def begin(self, kb: str) -> Conversation:
        """A new one; it is kept from its first question on."""
        made = Conversation(base_name(kb))
        self._known[made.id] = made
        return made

    def ask(self, conversation: Conversation, question: str, *, client: str) -> None:
        """Ask; the answer grows in the conversation's last exchange."""
        conversation.exchanges.append(Exchange(question))
        self._save(conversation)
        self._tasks[conversation.id] = asyncio.create_task(self._answer(conversation, client))

    def stop(self, conversation: Conversation) -> None:
        """End the answer that is being made; what has come of it stays."""
        task = self._tasks.get(conversation.id)
        if task is not None:
            task.cancel()

    def forget(self, conversation: Conversation) -> None:
        """Delete a conversation."""
        self.stop(conversation)
        self._known.pop(conversation.id, None)
        (self._folder / f"{conversation.id}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """End all answers; what has come of them is kept."""
        for task in self._tasks.values():
            task.cancel()
        for conversation in self._known.values():
            if conversation.running:
                conversation.exchanges[-1].state = "stopped"
                self._save(conversation)

    async def _answer(self, conversation: Conversation, client: str) -> None:
        exchange = conversation.exchanges[-1]
        started = time.monotonic()
        try:
            await self._read_answer(conversation, exchange, client, lambda: time.monotonic() - started)
        except asyncio.CancelledError:
            exchange.state = "stopped"
            raise
        finally:
            if exchange.state == "running":
                exchange.state, exchange.trouble = "failed", say("it ended early", "回答意外中断")
            exchange.seconds = time.monotonic() - started
            self._tasks.pop(conversation.id, None)
            self._save(conversation)

    async def _read_answer(
        self, conversation: Conversation, exchange: Exchange, client: str, seconds: Callable[[], float]
    ) -> None:
        whole, saved = Answer(), 0.0
        options = AskOptions(history=_history(conversation))
        answer = self._controller.ask(conversation.kb, exchange.question, client=client, options=options)
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                if isinstance(piece, Understood):
                    exchange.query = piece.query
                    continue
                if isinstance(piece, Failure):
                    exchange.state = "failed"
                    exchange.trouble = " ".join(filter(None, (piece.message, piece.hint)))
                    return
                whole += piece
                exchange.text = whole.text
                if seconds() - saved > _SAVE_EVERY_S:
                    saved = seconds()
                    self._save(conversation)
        exchange.answer = answer_dict(whole, self._controller.documents_folder(conversation.kb))
        exchange.state = "done"

    def _save(self, conversation: Conversation) -> None:
        """Write a conversation, whole or not at all."""
        if conversation.id not in self._known:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"{conversation.id}.new"
        values = {
            "id": conversation.id,
            "kb": conversation.kb,
            "begun": conversation.begun,
            "exchanges": [exchange.to_dict() for exchange in conversation.exchanges],
        }
        draft.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        draft.replace(self._folder / f"{conversation.id}.json")


def _history(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    """What was said before the last question."""
    before = conversation.exchanges[:-1][-_MOST_RECALLED:]
    return tuple((e.query or e.question, e.text) for e in before if e.state in ("done", "stopped") and e.text)


def _read(file: Path) -> Conversation | None:
    """A conversation from disk; None where the file is none. What was running when the program ended has stopped."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        exchanges = [Exchange(**exchange) for exchange in values["exchanges"]]
        found = Conversation(values["kb"], values["id"], values["begun"], exchanges)
    except (ValueError, KeyError, TypeError, OSError):
        return None
    for exchange in exchanges:
        if exchange.state == "running":
            exchange.state = "stopped"
    return found
