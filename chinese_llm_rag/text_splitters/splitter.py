"""ChineseTextSplitter: the LangChain side of cutting; where the cuts are is decided in spans.py.

`text[start:end] == chunk`, always: spans are computed while cutting, never searched for afterwards.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from langchain_core.documents import Document
from langchain_text_splitters import TextSplitter

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.file_runs import FileRun, file_runs
from chinese_llm_rag.text_splitters.identity import length_name
from chinese_llm_rag.text_splitters.presets import PRESETS
from chinese_llm_rag.text_splitters.spans import ChunkSpan, CutText, KnownStructure, Sizes

_NOTHING_KNOWN = KnownStructure()
_STRUCTURED, _PLAIN = "chinese-2", "chinese-1"


class ChineseTextSplitter(TextSplitter):
    """Cuts text into chunks along its structure: headings, articles and tables, paragraphs, sentences.

    A part of the text that fits is never cut: a section with its heading, an article, an item, a table.
    Sections that are long enough stand alone; shorter ones are joined with what follows. What does not
    fit is cut at the ends of its parts, of paragraphs, of sentences; a sentence only when it alone
    exceeds `chunk_size`: then at clause ends, else between graphemes, and never in a number, a date or a
    word that fits. A table that does not fit is cut between its rows. Every character that is not white
    space is in some chunk; chunks come in order.

    Chunks carry `start` and `end`, characters of the text they come from; `headings`, the path of
    headings above them; `table_header` where they continue a table; `parent_start` and `parent_end`
    where `parent_size` is given; and of a numbered table `row_start` and `row_end`.

    Args:
        chunk_size: the most that `length_function` may give for a chunk.
        chunk_overlap: up to this much of the end of a chunk, in whole sentences, begins the next one
            where both lie in one section.
        length_function: size of a text; characters by default, or a model's `count_tokens`.
        parent_size: chunks are cut out of pieces of this size, which is what a reader of the chunk sees
            around it.
        structure: False cuts by paragraphs and sentences alone.
        add_start_index: chunks carry `start_index` too, as LangChain calls `start`.

    Raises:
        ConfigError: chunk_size is not positive, the overlap is not below the size, or the parent's size is.
    """

    def __init__(
        self,
        chunk_size: int = 400,
        chunk_overlap: int = 0,
        length_function: Callable[[str], int] = len,
        *,
        parent_size: int | None = None,
        structure: bool = True,
        add_start_index: bool = False,
    ) -> None:
        _check_sizes(chunk_size, chunk_overlap, parent_size)
        super().__init__(
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            length_function=length_function,
            add_start_index=add_start_index,
        )
        self._parent_size = parent_size
        self._structure = structure

    @classmethod
    def from_preset(cls, window: int, length_function: Callable[[str], int] = len) -> Self:
        """The splitter of the largest preset that a context window of `window` tokens holds.

        Args:
            window: tokens of the model that reads the chunks.
            length_function: size of a text; the preset's sizes are characters.

        Raises:
            ConfigError: the window is smaller than that of every preset.
        """
        fitting = [preset for preset in PRESETS if preset.context_window <= window]
        if not fitting:
            least = PRESETS[0].context_window
            raise ConfigError(
                say(f"window={window!r}, expected at least {least}", f"window={window!r}，应至少为 {least}"),
                setting="window",
            )
        preset = fitting[-1]
        return cls(preset.chunk_size, preset.chunk_overlap, length_function, parent_size=preset.parent_size)

    @classmethod
    def from_identity(cls, identity: Mapping[str, Any], length_function: Callable[[str], int] = len) -> Self:
        """The splitter that a knowledge base was built with.

        Args:
            identity: the record of it.
            length_function: the one that it measured with.

        Raises:
            ConfigError: no splitter of this version cuts as the record says.
        """
        kind = identity.get("splitter")
        splitter = None
        if kind in (_STRUCTURED, _PLAIN):
            splitter = cls(
                identity["chunk_size"],
                identity["chunk_overlap"],
                length_function,
                parent_size=identity.get("parent_size"),
                structure=kind == _STRUCTURED,
            )
        if splitter is None or splitter.identity != dict(identity):
            raise ConfigError(
                say(
                    f"no splitter of this version cuts as {dict(identity)!r} says",
                    f"本版本没有与 {dict(identity)!r} 一致的切分方式",
                ),
                setting="splitter",
            )
        return splitter

    @property
    def identity(self) -> dict[str, str | int]:
        """What decides where this splitter cuts, for the knowledge base's record."""
        function = self._length_function
        identity: dict[str, str | int] = {
            "splitter": _STRUCTURED if self._structure else _PLAIN,
            "chunk_size": self._chunk_size,
            "chunk_overlap": self._chunk_overlap,
            "length": length_name(function, measured=self._structure),
        }
        if self._parent_size is not None:
            identity["parent_size"] = self._parent_size
        return identity

    def split_text(self, text: str) -> list[str]:
        """The chunks of a text, in order."""
        return [text[span.start : span.end] for span in self.split_spans(text)]

    def split_spans(self, text: str) -> list[Span]:
        """The spans of the chunks of a text, in order, without white space at their ends."""
        return [chunk.span for chunk in self._cut(text).chunks()]

    def create_documents(self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None) -> list[Document]:
        """Chunks of several texts; each carries `start` and `end` in its own text."""
        metadata_of = metadatas or [{} for _ in texts]
        return [
            self._document(text[chunk.span.start : chunk.span.end], metadata, chunk, 0)
            for text, metadata in zip(texts, metadata_of, strict=True)
            for chunk in self._cut(text).chunks()
        ]

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """Chunks of documents, spans in the text of the file they come from.

        Neighbouring pages of one file (PageMetadata) are cut as one text, so that a sentence over a
        page break stays whole; such a chunk carries its page range (ChunkMetadata). No chunk goes from
        one slide, sheet, chapter or section to the next. A chunk of ours is cut further. Any other
        document is cut by itself. Metadata of other keys is kept.
        """
        chunks: list[Document] = []
        for run in file_runs(documents):
            if isinstance(run, FileRun):
                chunks.extend(
                    self._document(
                        run.text[chunk.span.start : chunk.span.end], run.metadata(chunk.span), chunk, run.start
                    )
                    for chunk in self._cut(run.text, run.known).chunks()
                )
            else:
                chunks.extend(self.create_documents([run.page_content], [run.metadata]))
        return chunks

    def split_parents(self, documents: Iterable[Document]) -> list[Document]:
        """The pieces of `parent_size` that split_documents cuts its chunks out of, as documents.

        Raises:
            ConfigError: the splitter has no parent_size.
        """
        if self._parent_size is None:
            raise ConfigError(say("parent_size is not set", "未设置 parent_size"), setting="parent_size")
        parents: list[Document] = []
        for run in file_runs(documents):
            text = run.text if isinstance(run, FileRun) else run.page_content
            known = run.known if isinstance(run, FileRun) else _NOTHING_KNOWN
            start = run.start if isinstance(run, FileRun) else 0
            for chunk in self._cut(text, known).parents():
                metadata = run.metadata(chunk.span) if isinstance(run, FileRun) else run.metadata
                parents.append(self._document(text[chunk.span.start : chunk.span.end], metadata, chunk, start))
        return parents

    def _cut(self, text: str, known: KnownStructure = _NOTHING_KNOWN) -> CutText:
        sizes = Sizes(self._chunk_size, self._chunk_overlap, self._parent_size, self._length_function)
        return CutText(text, sizes, known if self._structure else None)

    def _document(self, text: str, metadata: Mapping[str, Any], chunk: ChunkSpan, base: int) -> Document:
        """A chunk whose span is counted from `base`."""
        start = base + chunk.span.start
        fields: dict[str, Any] = {"start": start, "end": base + chunk.span.end}
        if chunk.headings:
            fields["headings"] = list(chunk.headings)
        if chunk.table_header:
            fields["table_header"] = chunk.table_header
        if chunk.parent is not None:
            fields["parent_start"] = base + chunk.parent.start
            fields["parent_end"] = base + chunk.parent.end
        if chunk.rows is not None:
            fields["row_start"], fields["row_end"] = chunk.rows
        if self._add_start_index:
            fields["start_index"] = start
        return Document(text, metadata={**copy.deepcopy(dict(metadata)), **fields})


def _check_sizes(chunk_size: int, chunk_overlap: int, parent_size: int | None) -> None:
    if chunk_size < 1:
        raise ConfigError(
            say(f"chunk_size={chunk_size!r}, expected at least 1", f"chunk_size={chunk_size!r}，应至少为 1"),
            setting="chunk_size",
        )
    if not 0 <= chunk_overlap < chunk_size:
        raise ConfigError(
            say(
                f"chunk_overlap={chunk_overlap!r}, expected from 0 to below chunk_size={chunk_size}",
                f"chunk_overlap={chunk_overlap!r}，应不小于 0 且小于 chunk_size={chunk_size}",
            ),
            setting="chunk_overlap",
        )
    if parent_size is not None and parent_size < chunk_size:
        raise ConfigError(
            say(
                f"parent_size={parent_size!r}, expected at least chunk_size={chunk_size}",
                f"parent_size={parent_size!r}，应不小于 chunk_size={chunk_size}",
            ),
            setting="parent_size",
        )
