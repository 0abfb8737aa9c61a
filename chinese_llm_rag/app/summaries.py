"""Summaries of documents, made in the background: jobs that the engine runs, a step of the model at a time.

A summary holds no turn at the model: between two of its steps whoever asks a question is answered.
"""

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from chinese_llm_rag.app.answering import Answering
from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.engine import Engine
from chinese_llm_rag.app.failures import Failure, RefusedError, caught
from chinese_llm_rag.app.jobs import Job, Jobs
from chinese_llm_rag.app.sampling import SummaryWish
from chinese_llm_rag.app.views import citation_dict, name_of
from chinese_llm_rag.chains.summarize import Summary, Wanted
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.language import say
from chinese_llm_rag.summarizing import build_summarizer


class Summaries:
    """Begins summaries; each is a job."""

    def __init__(self, bases: Bases, answering: Answering, jobs: Jobs, engine: Engine) -> None:
        self._bases = bases
        self._answering = answering
        self._jobs = jobs
        self._engine = engine

    def begin(self, kb: str, path: Path, wish: SummaryWish) -> Job:
        """Begin one; its result stands in the job."""
        folder = self._bases.documents_folder(kb)
        job = self._jobs.add(Job("summarize", kb, (name_of(path, folder),)))
        self._engine.begin(lambda: self._run(job, path, wish))
        return job

    async def _run(self, job: Job, path: Path, wish: SummaryWish) -> None:
        result = await caught(self._summary(job, path, wish))
        if job.cancel.is_set():
            job.end("cancelled")
        elif isinstance(result, Failure):
            job.end("failed", failure=result)
        else:
            job.end("done", result=summary_dict(result, self._bases.documents_folder(job.kb)))

    async def _summary(self, job: Job, path: Path, wish: SummaryWish) -> Summary:
        job.start()
        async with self._answering.using(job.kb) as base:
            pages = await asyncio.to_thread(_pages, base, path)
        extractive = wish.extractive or not self._answering.has_model
        llm = None if extractive else await self._answering.model.get()

        def on_progress(n_done: int, n_steps: int) -> None:
            job.done = n_done / max(1, n_steps)
            _stop_if(job)

        chain = build_summarizer(
            self._bases.settings_of(job.kb),
            wanted=Wanted(wish.n_chars, wish.form, wish.focus),
            extractive=extractive,
            llm=llm,
            on_progress=on_progress,
        )
        whole = Summary()
        async for piece in chain.astream(pages):
            _stop_if(job)
            whole += piece
            job.now = whole.text
        return whole


def summary_dict(summary: Summary, folder: Path) -> dict[str, Any]:
    """A summary in the form of an answer, with how much of the document it covers."""
    citations = [
        {"sentence": index, **citation_dict(citation, folder)}
        for index, sentence in enumerate(summary.sentences)
        for citation in sentence.citations
    ]
    return {
        "text": summary.text,
        "refused": False,
        "reason": None,
        "sentences": [
            {"start": s.start, "end": s.end, "text": s.text, "supported": s.supported} for s in summary.sentences
        ],
        "citations": citations,
        "passages": [],
        "dropped": [],
        "usage": summary.usage,
        "coverage": summary.coverage.share,
        "n_pages": summary.coverage.n_pages,
        "strategy": summary.strategy,
    }


def _pages(base: KnowledgeBase, path: Path) -> list[Document]:
    record = next((record for record in base.files() if record.path == str(path)), None)
    if record is None or record.content_hash is None:
        raise RefusedError("not_found", say("the document is not in the base", "知识库中没有该文档"))
    return base.pages_of(Document("", metadata={"content_hash": record.content_hash}))


def _stop_if(job: Job) -> None:
    if job.cancel.is_set():
        raise RefusedError("conflict", say("stopped", "已停止"))
