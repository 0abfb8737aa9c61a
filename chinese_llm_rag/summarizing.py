"""Settings -> summaries of files: the model, the steps that were kept, the pages that are read."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chinese_llm_rag import model_choice, wiring
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.language_models import BaseLanguageModel
    from langchain_core.runnables import Runnable

    from chinese_llm_rag.chains.summarize import ModelStrategy, Summary, Wanted
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions

SERVER_CONCURRENCY = 4  # requests at once to a server, which has slots for them; a model in this process has one
_MODEL_SETTINGS = (
    *("model", "model_path", "server_url", "server_mode", "chat_template", "context_window", "rope", "lora"),
    *("max_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed", "quantization", "dtype"),
)


def build_summarizer(
    settings: Settings,
    *,
    wanted: "Wanted",
    strategy: "ModelStrategy" = "auto",
    extractive: bool = False,
    llm: "BaseLanguageModel[Any] | None" = None,
    on_progress: "Callable[[int, int], None]" = lambda *_: None,
) -> "Runnable[Sequence[Document], Summary]":
    """Summaries by the model of the settings; steps that were made before are not made again.

    Where the settings name no model and no packaged one is installed, sentences are quoted.

    Args:
        settings: of the model.
        wanted: how the summary is to be.
        strategy: how a document is read that does not fit the window.
        extractive: quote the most telling sentences, without a model.
        llm: the model of the settings, where it is loaded already.
        on_progress: told the steps done, and the steps in all.
    """
    from chinese_llm_rag.chains.summarize import FileCache, build_summary_chain  # noqa: PLC0415

    if extractive or (llm is None and not model_choice.has_model(settings)):
        return build_summary_chain(None, wanted=wanted)
    return build_summary_chain(
        llm or wiring.build_llm(settings),
        strategy=strategy,
        wanted=wanted,
        cache=FileCache(settings.home / "summaries.sqlite3"),
        model_id=_model_id(settings),
        max_concurrency=SERVER_CONCURRENCY if settings.server_url is not None else 1,
        on_progress=on_progress,
    )


def _model_id(settings: Settings) -> str:
    """What tells apart the models, and the ways to ask them, that the settings can name."""
    values = settings.model_dump(mode="json", include=set(_MODEL_SETTINGS))
    if settings.model_path is not None and settings.model_path.expanduser().is_file():
        stat = settings.model_path.expanduser().stat()
        values["file"] = [stat.st_size, stat.st_mtime_ns]
    return json.dumps(values, sort_keys=True)


def load_documents(paths: "Sequence[Path]", options: "LoadOptions") -> "tuple[list[Document], list[str]]":
    """The pages of files, in order, and what the user must know about them.

    Raises:
        DocumentError: a file cannot be read, or a folder holds none.
    """
    from chinese_llm_rag.document_loaders.worker import load_files  # noqa: PLC0415
    from chinese_llm_rag.knowledge_base.discover import discover  # noqa: PLC0415

    pages: list[Document] = []
    problems: list[str] = []
    for path, loaded in load_files(discover(paths).files, options=options):
        if isinstance(loaded, DocumentError):
            raise loaded
        pages.extend(loaded.pages)
        problems.extend(f"{path}: {problem}" for problem in loaded.problems)
    return pages, problems
