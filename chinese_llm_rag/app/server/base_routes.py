"""The routes of knowledge bases: bases, documents, pages, searches, questions, jobs."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.failures import Failure, FailureKind, RefusedError
from chinese_llm_rag.app.sampling import AskOptions
from chinese_llm_rag.app.server.base_forms import (
    AnswerReply,
    AskRequest,
    BaseList,
    BaseName,
    BaseReply,
    DocumentList,
    DocumentReply,
    HeaderReply,
    HealthReply,
    JobList,
    JobReply,
    NewBase,
    PageReply,
    PassageReply,
    SearchReply,
    SearchRequest,
    SummaryRequest,
    UploadReply,
    job_reply,
)
from chinese_llm_rag.app.server.clients import client_of
from chinese_llm_rag.app.server.metrics import CONTENT_TYPE, Metrics
from chinese_llm_rag.app.server.replies import FailedRequestError, error_dict, error_responses
from chinese_llm_rag.app.server.streams import DONE, EVENT_STREAM, begun, event, event_reply, until_gone, unwrap
from chinese_llm_rag.app.views import DocumentView, Understood, answer_dict, name_of, passage_dict
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Answer

_Kb = Annotated[str, InPath(max_length=64, description="name of the knowledge base")]
_Document = Annotated[str, InPath(max_length=64, description="id of the document")]
_Page = Annotated[int, InPath(ge=1, le=1_000_000)]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


class BaseRoutes:
    """The routes over one controller."""

    def __init__(self, controller: Controller, metrics: Metrics) -> None:
        self._controller = controller
        self._metrics = metrics
        self.router = APIRouter(tags=["knowledge bases"])
        self._add_bases()
        self._add_documents()
        self._add_questions()
        self._add_jobs()

    def _add_bases(self) -> None:
        add = self.router.add_api_route
        there, errors = error_responses(404, 409, 503), error_responses(409, 503)
        add("/v1/kb", self.bases, response_model=BaseList, responses=error_responses())
        add("/v1/kb", self.create, methods=["POST"], status_code=201, response_model=BaseReply, responses=errors)
        add("/v1/kb/{kb}", self.base, response_model=BaseReply, responses=there)
        add("/v1/kb/{kb}", self.delete, methods=["DELETE"], status_code=204, responses=there)

    def _add_documents(self) -> None:
        add = self.router.add_api_route
        there = error_responses(404, 409, 503)
        one = "/v1/kb/{kb}/documents/{document}"
        add("/v1/kb/{kb}/documents", self.documents, response_model=DocumentList, responses=there)
        add(
            "/v1/kb/{kb}/uploads/{name:path}",
            self.upload,
            methods=["PUT"],
            status_code=202,
            response_model=UploadReply,
            responses=error_responses(409, 415, 503),
            openapi_extra=_BODY,
        )
        add(one, self.document, response_model=DocumentReply, responses=there)
        add(one, self.remove, methods=["DELETE"], response_model=DocumentReply, responses=there)
        add(
            f"{one}/summaries",
            self.summarize,
            methods=["POST"],
            status_code=202,
            response_model=JobReply,
            responses=there,
        )
        add(f"{one}/pages/{{page}}", self.page, response_model=PageReply, responses=there)
        add(f"{one}/pages/{{page}}/picture", self.picture, response_class=Response, responses={**there, **_PNG})

    def _add_questions(self) -> None:
        add = self.router.add_api_route
        errors = error_responses(404, 409, 429, 503, 504)
        add("/v1/kb/{kb}/search", self.search, methods=["POST"], response_model=SearchReply, responses=errors)
        add(
            "/v1/kb/{kb}/ask",
            self.ask,
            methods=["POST"],
            response_model=AnswerReply,
            responses={**errors, 200: {"content": EVENT_STREAM}},
        )

    def _add_jobs(self) -> None:
        add = self.router.add_api_route
        add("/v1/jobs", self.jobs, response_model=JobList, responses=error_responses())
        add("/v1/jobs/{job}", self.job, response_model=JobReply, responses=error_responses(404))
        cancel = "/v1/jobs/{job}/cancel"
        add(cancel, self.cancel, methods=["POST"], response_model=JobReply, responses=error_responses(404))
        add("/health", self.health, response_model=HealthReply, responses=error_responses())
        text: dict[int | str, dict[str, Any]] = {200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}}
        add("/metrics", self.metrics, response_class=Response, responses={**error_responses(), **text})

    # --- bases ----------------------------------------------------------------------------------

    async def bases(self) -> BaseList:
        """The knowledge bases."""
        return BaseList(data=[BaseName(name=name) for name in self._controller.base_names()])

    async def create(self, body: NewBase) -> BaseReply:
        """Make an empty knowledge base."""
        return BaseReply(**asdict(unwrap(await self._controller.create_base(body.name))))

    async def base(self, kb: _Kb) -> BaseReply:
        """A knowledge base in counts."""
        return BaseReply(**asdict(unwrap(await self._controller.base(kb))))

    async def delete(self, kb: _Kb) -> Response:
        """Delete a knowledge base and what was uploaded to it."""
        unwrap(await self._controller.delete_base(kb))
        return Response(status_code=204)

    # --- documents ------------------------------------------------------------------------------

    async def documents(self, kb: _Kb) -> DocumentList:
        """The documents of a knowledge base, those on their way included."""
        return DocumentList(data=[_document(view) for view in unwrap(await self._controller.documents(kb))])

    async def document(self, kb: _Kb, document: _Document) -> DocumentReply:
        """One document."""
        return _document(unwrap(await self._controller.document(kb, document)))

    async def upload(self, kb: _Kb, name: str, request: Request) -> UploadReply:
        """Take in a document, the body being its bytes; one of the same name is replaced.

        The name may have folders before it. The base is made where there is none. What became of the
        document stands in the job.
        """
        view, job = unwrap(await self._controller.upload(kb, name, _body(request)))
        return UploadReply(document=_document(view), job=job_reply(job))

    async def remove(self, kb: _Kb, document: _Document) -> DocumentReply:
        """Remove a document. Its file is deleted only where it was uploaded."""
        return _document(unwrap(await self._controller.remove(kb, document)))

    async def page(
        self,
        kb: _Kb,
        document: _Document,
        page: _Page,
        start: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
        end: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    ) -> PageReply:
        """A page's text, and where characters start..end of the document's text stand on its picture."""
        found = unwrap(await self._controller.page_marks(kb, document, page, start, end))
        return PageReply(**asdict(found))

    async def picture(
        self, kb: _Kb, document: _Document, page: _Page, width: Annotated[int, Query(ge=50, le=3000)] = 1200
    ) -> Response:
        """A page of a PDF as a picture, so many pixels wide."""
        data = unwrap(await self._controller.page_picture(kb, document, page, width=width))
        return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    async def summarize(self, kb: _Kb, document: _Document, body: SummaryRequest) -> JobReply:
        """Begin the summary of a document; it comes as the result of the job, in the form of an answer."""
        return job_reply(unwrap(await self._controller.summarize(kb, document, body.wish())))

    # --- questions ------------------------------------------------------------------------------

    async def search(self, kb: _Kb, body: SearchRequest, request: Request) -> SearchReply:
        """Passages, best first."""
        work = self._controller.search(kb, body.query, client=client_of(request), options=AskOptions(body.k, body.mode))
        passages, furniture = unwrap(await until_gone(request, work))
        folder = self._controller.documents_folder(kb)
        return SearchReply(
            data=[PassageReply(**passage_dict(passage, folder)) for passage in passages],
            headers=[
                HeaderReply(
                    name=name_of(Path(found.source), folder),
                    page_start=found.page_start,
                    page_end=found.page_end,
                    text=found.text,
                )
                for found in furniture
            ],
        )

    async def ask(self, kb: _Kb, body: AskRequest, request: Request) -> Any:  # noqa: ANN401  (a reply or its value)
        """An answer whose sentences say what they rest on.

        Streamed, pieces of its text come as {"text": …}, and at the end {"answer": …}, the whole of it.
        """
        pieces = self._controller.ask(
            kb, body.question, client=client_of(request, body.user), sampling=body.sampling(), options=body.options()
        )
        started: AsyncGenerator[Answer | Understood | Failure, None] = await begun(request, pieces)
        if body.stream:
            return event_reply(self._ask_events(started, kb))
        answer, query = await until_gone(request, _whole(started))
        self._count(answer)
        return AnswerReply(query=query, **answer_dict(answer, self._controller.documents_folder(kb)))

    async def _ask_events(
        self, pieces: AsyncGenerator[Answer | Understood | Failure, None], kb: str
    ) -> AsyncGenerator[str, None]:
        whole, query = Answer(), None
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Failure):
                    yield event(error_dict(piece))
                    return
                if isinstance(piece, Understood):
                    query = piece.query
                    yield event({"query": query})
                    continue
                whole += piece
                if piece.text:
                    yield event({"text": piece.text})
        self._count(whole)
        yield event({"answer": {"query": query, **answer_dict(whole, self._controller.documents_folder(kb))}})
        yield DONE

    def _count(self, answer: Answer) -> None:
        self._metrics.tokens(answer.usage.get("input_tokens", 0), answer.usage.get("output_tokens", 0))

    # --- jobs -----------------------------------------------------------------------------------

    async def jobs(self, kb: Annotated[str | None, Query(max_length=64)] = None) -> JobList:
        """Jobs, oldest first; of one knowledge base, or of all."""
        return JobList(data=[job_reply(view) for view in self._controller.jobs(kb)])

    async def job(self, job: Annotated[str, InPath(max_length=64)]) -> JobReply:
        """One job."""
        return job_reply(unwrap(self._controller.job(job)))

    async def cancel(self, job: Annotated[str, InPath(max_length=64)]) -> JobReply:
        """Stop a job at its next sign of progress."""
        return job_reply(unwrap(self._controller.cancel(job)))

    # --- the server -------------------------------------------------------------------------------

    async def health(self) -> HealthReply:
        """How the server is. Needs no token."""
        now = self._controller.health()
        return HealthReply(
            model=now.model,
            model_state=now.model_state,
            model_error=now.model_failure.message if now.model_failure else None,
            n_running=now.n_running,
            n_waiting=now.n_waiting,
            n_searching=now.n_searching,
        )

    async def metrics(self) -> Response:
        """Counts and times in the form that Prometheus reads."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)


def _document(view: DocumentView) -> DocumentReply:
    return DocumentReply(**asdict(view))


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; what breaks it off is the client's."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise RefusedError("invalid", say("the upload was broken off", "上传中断")) from None
    except HTTPException as error:
        kind: FailureKind = "too_large" if error.status_code == 413 else "slow"
        raise RefusedError(kind, str(error.detail)) from None


async def _whole(pieces: AsyncGenerator[Answer | Understood | Failure, None]) -> tuple[Answer, str | None]:
    """The answer, and the question as it was understood."""
    answer, query = Answer(), None
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Failure):
                raise FailedRequestError(piece)
            if isinstance(piece, Understood):
                query = piece.query
            else:
                answer += piece
    return answer, query
