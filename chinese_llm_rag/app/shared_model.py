"""The one language model of the program: loaded when first wanted, shared by all, replaced by choice."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from langchain_core.language_models import BaseLanguageModel

from chinese_llm_rag.app.failures import Failure, failure_of
from chinese_llm_rag.errors import RagError

ModelState = Literal["absent", "loading", "ready", "failed"]


class SharedModel:
    """A language model that is loaded once. For the tasks of one event loop.

    Args:
        load: loads it; takes long.

    Attributes:
        state: "absent" before it was first wanted.
        failure: why it could not be loaded; the next one who wants it tries again.
    """

    def __init__(self, load: Callable[[], BaseLanguageModel[Any]]) -> None:
        self._load = load
        self._llm: BaseLanguageModel[Any] | None = None
        self._turn = asyncio.Lock()
        self.state: ModelState = "absent"
        self.failure: Failure | None = None

    async def get(self) -> BaseLanguageModel[Any]:
        """The model.

        Raises:
            RagError: as loading it does.
        """
        async with self._turn:
            if self._llm is None:
                self.state, self.failure = "loading", None
                try:
                    self._llm = await asyncio.to_thread(self._load)
                except RagError as error:
                    self.state, self.failure = "failed", failure_of(error)
                    raise
                except BaseException:
                    self.state = "absent"
                    raise
                self.state = "ready"
            return self._llm

    async def replace(self, load: Callable[[], BaseLanguageModel[Any]]) -> None:
        """Let go of the model; the next one who wants one gets another."""
        async with self._turn:
            await asyncio.to_thread(self.free)
            self._load, self.failure = load, None

    def free(self) -> None:
        """Free its memory; nobody uses it any more."""
        close = getattr(getattr(self._llm, "backend", None), "close", None)
        self._llm, self.state = None, "absent"
        if close is not None:
            close()
