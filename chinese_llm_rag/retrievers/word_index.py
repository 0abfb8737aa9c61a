"""The words of all chunks, ranked by BM25: a tantivy index on disk or in memory.

Knows terms (terms.index_terms), chunk ids, the file and the pages a chunk comes from; the chunks
themselves are elsewhere.
"""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say
from chinese_llm_rag.retrievers.query_terms import Field, query_terms
from chinese_llm_rag.retrievers.synonyms import Synonyms
from chinese_llm_rag.retrievers.terms import WordCutter, index_terms

# Raised whenever the terms or the fields of the index change: what holds other terms is built again.
TERMS_VERSION = 2
# A question has some thirty terms. A pasted page has thousands, and time grows with each: beyond this
# many different ones only the rarest are looked for.
MAX_QUERY_TERMS = 256
_WRITER_HEAP_BYTES = 50_000_000
_SCORE_DECIMALS = 4  # single precision sums of the same terms in another order differ below this
# Up to so many files a search goes through their postings. Of more it takes the best chunks of all files, most
# of which are theirs, and goes through postings only when so many did not suffice.
_FEW_SOURCES = 1000
_MANY_HITS = 20_000


class IndexedText(NamedTuple):
    """A chunk as the index takes it in; pages count from 1, and 0 is on no page."""

    id: str
    text: str
    source: str
    page_start: int = 0
    page_end: int = 0


class WordIndex:
    """Chunk ids by the words of their text; BM25 with k1 = 1.2 and b = 0.75.

    Every term of a query adds its BM25 weight, once for each time it occurs in the query, and times
    what its field counts (query_terms.FIELD_WEIGHTS). No character of a query is an operator. Lengths
    count by field, in steps that grow with the length (tantivy stores one byte), and a deleted chunk
    counts in document frequency and average length until its segment is merged, so scores can shift a
    little after a merge.

    A handle sees what any handle of the same folder has committed. Writing begins with the first
    `add` or `delete` and takes the folder's writer lock until `close`; searching takes none. All
    methods may be called from several threads.

    Args:
        folder: where the index is or shall be; None keeps it in memory.
        cut: gives words that are terms besides; an index on disk is always opened with the same.

    Raises:
        KnowledgeBaseError: the folder holds a damaged index, or another handle is writing to it.
    """

    def __init__(self, folder: Path | str | None = None, *, cut: WordCutter | None = None) -> None:
        import tantivy  # noqa: PLC0415  (keeps `--help` instant)

        self.folder = Path(folder) if folder is not None else None
        self._cut = cut
        self._tantivy: Any = tantivy
        self._schema = _schema(tantivy)
        self._writer: Any = None
        self._pending = False  # changes that are not committed
        self._lock = threading.RLock()
        self._seen: tuple[int, int] | None = None
        self._index = self._opened()
        self._index.config_reader("manual")

    def _opened(self) -> Any:  # noqa: ANN401  (tantivy has no usable types)
        if self.folder is None:
            return self._tantivy.Index(self._schema)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self._tantivy.Index(self._schema, path=str(self.folder))
        except (ValueError, OSError) as error:
            raise self._error(f"cannot open the word index ({error})", f"无法打开词语索引（{error}）") from error

    def add(self, items: Iterable[tuple[str, str, str] | IndexedText]) -> None:
        """Take in chunks; one with the same id is replaced. Visible after `commit`."""
        with self._lock:
            writer = self._changing_writer()
            for item in items:
                entry = IndexedText(*item)
                writer.delete_documents_by_term("id", entry.id)
                writer.add_document(self._document(entry))

    def delete(self, ids: Iterable[str]) -> None:
        """Forget chunks; an unknown id is no error. Takes effect with `commit`."""
        with self._lock:
            writer = self._changing_writer()
            for chunk_id in ids:
                writer.delete_documents_by_term("id", chunk_id)

    def commit(self) -> None:
        """Make all changes since the last commit durable and visible, together."""
        with self._lock:
            if self._pending:
                self._writing(self._writer.commit)
                self._pending = False
                self._refresh()

    def rollback(self) -> None:
        """Forget all changes since the last commit."""
        with self._lock:
            if self._pending:
                self._writing(self._writer.rollback)
                self._pending = False

    def close(self) -> None:
        """Wait for merges and give the writer lock back. What was not committed is lost.

        The handle can still search, and write again.
        """
        with self._lock:
            if self._writer is None:
                return
            writer, self._writer = self._writer, None
            pending, self._pending = self._pending, False
            try:
                if pending:  # a rollback also abandons merges, so not without need
                    self._writing(writer.rollback)
            finally:
                self._writing(writer.wait_merging_threads)

    def search(
        self,
        query: str,
        k: int,
        *,
        sources: Collection[str] | None = None,
        pages: tuple[int, int] | None = None,
        ids: Collection[str] | None = None,
        synonyms: Synonyms | None = None,
    ) -> list[tuple[str, float]]:
        """The k best chunks as (id, score), best first, equal scores by id; fewer when fewer match.

        Args:
            query: any text; one without a letter or digit finds nothing.
            k: how many at most.
            sources: only chunks of these files.
            pages: only chunks that are at least partly on these pages, first and last.
            ids: only these chunks.
            synonyms: words to be found in place of those of the query, at less weight.
        """
        if k < 1 or any(held is not None and not held for held in (sources, ids)):
            return []
        searcher = self._searcher()
        weights = self._rarest(searcher, query_terms(query, synonyms, self._cut))
        if not weights:
            return []
        inside = None if sources is None else frozenset(map(_number_of, sources))
        conditions = self._conditions(pages, ids)
        hits = None
        if inside is not None and len(inside) > _FEW_SOURCES:
            hits = self._hits_inside(searcher, self._query(weights, conditions), k, inside)
        if hits is None:
            of_files = [] if inside is None else [self._among("source", sorted(inside))]
            hits = self._best_hits(searcher, self._query(weights, [*conditions, *of_files]), k)
        ranked = [(_id_of(searcher, address), score) for score, address in hits]
        return sorted(ranked, key=lambda item: (-item[1], item[0]))[:k]

    def ids(self) -> set[str]:
        """The ids of all chunks."""
        searcher = self._searcher()
        if searcher.num_docs == 0:
            return set()
        hits = _hits(searcher, self._tantivy.Query.all_query(), searcher.num_docs)
        return {_id_of(searcher, address) for _, address in hits}

    def present(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        searcher = self._searcher()
        if not ids or searcher.num_docs == 0:
            return set()
        wanted = self._tantivy.Query.term_set_query(self._schema, "id", list(ids))
        return {_id_of(searcher, address) for _, address in _hits(searcher, wanted, len(ids))}

    def n_miscounted(self, items: Iterable[IndexedText]) -> int:
        """How many terms are in another number of chunks than of these, which are all that the index shall hold.

        A chunk whose words in the index are not those of its text has such terms. All terms are held in memory
        meanwhile.
        """
        wanted = Counter(key for item in items for key in self._keys(item.text))
        searcher = self._searcher()
        count = self._n_chunks if self._holds_deleted() else lambda searcher, key: searcher.doc_freq(*key)
        return sum(count(searcher, key) != n for key, n in wanted.items())

    def __len__(self) -> int:
        return int(self._searcher().num_docs)

    # --- below here: tantivy ------------------------------------------------------------------

    def _document(self, entry: IndexedText) -> Any:  # noqa: ANN401
        terms = index_terms(entry.text, self._cut)
        document = self._tantivy.Document(
            id=entry.id, body=" ".join(terms.body), forms=" ".join(terms.forms), written=" ".join(terms.written)
        )
        document.add_unsigned("source", _number_of(entry.source))
        document.add_unsigned("page_start", entry.page_start)
        document.add_unsigned("page_end", entry.page_end)
        return document

    def _keys(self, text: str) -> set[tuple[str, str]]:
        terms = index_terms(text, self._cut)
        return {(field, term) for field in get_args(Field) for term in getattr(terms, field)}

    def _n_chunks(self, searcher: Any, key: tuple[str, str]) -> int:  # noqa: ANN401
        """Those that are not deleted; a document frequency counts all."""
        term = self._tantivy.Query.term_query(self._schema, *key, "freq")
        return int(searcher.search(term, limit=1, count=True).count)

    def _rarest(self, searcher: Any, weights: Mapping[tuple[Field, str], float]) -> Mapping[tuple[Field, str], float]:  # noqa: ANN401
        if len(weights) <= MAX_QUERY_TERMS:
            return weights
        frequency = {(field, term): searcher.doc_freq(field, term) for field, term in weights}
        known = sorted((key for key in weights if frequency[key]), key=lambda key: (frequency[key], key))
        return {key: weights[key] for key in known[:MAX_QUERY_TERMS]}

    def _query(self, weights: Mapping[tuple[Field, str], float], conditions: Sequence[Any]) -> Any:  # noqa: ANN401
        make, occur = self._tantivy.Query, self._tantivy.Occur
        parts = []
        for (field, term), weight in weights.items():
            part = make.term_query(self._schema, field, term, "freq")
            parts.append((occur.Should, part if weight == 1 else make.boost_query(part, weight)))
        words = make.boolean_query(parts)
        if not conditions:
            return words
        must = [(occur.Must, make.const_score_query(condition, 0.0)) for condition in conditions]
        return make.boolean_query([(occur.Must, words), *must])

    def _conditions(self, pages: tuple[int, int] | None, ids: Collection[str] | None) -> list[Any]:
        conditions = [] if ids is None else [self._among("id", sorted(ids))]
        if pages is not None:
            make, unsigned = self._tantivy.Query, self._tantivy.FieldType.Unsigned
            conditions.append(make.range_query(self._schema, "page_start", unsigned, None, pages[1]))
            conditions.append(make.range_query(self._schema, "page_end", unsigned, pages[0], None))
        return conditions

    def _among(self, field: str, values: Sequence[object]) -> Any:  # noqa: ANN401
        return self._tantivy.Query.term_set_query(self._schema, field, list(values))

    def _best_hits(self, searcher: Any, wanted: Any, k: int) -> list[tuple[float, Any]]:  # noqa: ANN401
        """At least k hits, where there are, and all that are equal to the k-th."""
        n_fetched = k + 1
        while True:
            hits = _hits(searcher, wanted, n_fetched)
            if len(hits) < n_fetched or hits[-1][0] < hits[k - 1][0]:
                return hits
            n_fetched *= 2

    def _hits_inside(
        self,
        searcher: Any,  # noqa: ANN401
        wanted: Any,  # noqa: ANN401
        k: int,
        inside: frozenset[int],
    ) -> list[tuple[float, Any]] | None:
        """The same among the chunks of many files; None where too many are of others."""
        n_fetched = 4 * (k + 1)
        while n_fetched <= _MANY_HITS:
            hits = _hits(searcher, wanted, n_fetched)
            numbers = searcher.fast_field_values("source", [address for _, address in hits])
            kept = [hit for hit, number in zip(hits, numbers, strict=True) if number in inside]
            if len(hits) < n_fetched or (len(kept) >= k and hits[-1][0] < kept[k - 1][0]):
                return kept
            n_fetched *= 4
        return None

    def _searcher(self) -> Any:  # noqa: ANN401
        if self.folder is not None and self._version() != self._seen:
            self._refresh()
        return self._index.searcher()

    def _refresh(self) -> None:
        self._seen = self._version()
        try:
            self._index.reload()
        except ValueError as error:
            raise self._error(f"cannot read the word index ({error})", f"无法读取词语索引（{error}）") from error

    def _version(self) -> tuple[int, int] | None:
        """What changes with every commit: tantivy replaces meta.json as a whole."""
        if self.folder is None:
            return None
        try:
            status = (self.folder / "meta.json").stat()
        except OSError as error:
            raise self._error("the word index is gone", "词语索引不见了") from error
        return status.st_mtime_ns, status.st_ino

    def _holds_deleted(self) -> bool:
        """Whether there are chunks that are deleted and not merged away yet; in memory nobody knows."""
        if self.folder is None:
            return True
        meta = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        return any(segment["deletes"] for segment in meta["segments"])

    def _changing_writer(self) -> Any:  # noqa: ANN401
        if self._writer is None:
            self._writer = self._writing(lambda: self._index.writer(_WRITER_HEAP_BYTES, 1))
        self._pending = True
        return self._writer

    def _writing(self, action: Any) -> Any:  # noqa: ANN401
        try:
            return action()
        except (ValueError, OSError) as error:
            raise self._error(f"cannot write to the word index ({error})", f"无法写入词语索引（{error}）") from error

    def _error(self, english: str, chinese: str) -> KnowledgeBaseError:
        return KnowledgeBaseError(
            say(english, chinese),
            folder=self.folder or Path(),
            hint=say(
                "end other programs that write to this knowledge base; if it is damaged, rebuild its indexes",
                "请结束其他正在写入该知识库的程序；如果索引已损坏，请重建",
            ),
        )


def _schema(tantivy: Any) -> Any:  # noqa: ANN401
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    for field in get_args(Field):
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("source", indexed=True, fast=True)
    builder.add_unsigned_field("page_start", fast=True)
    builder.add_unsigned_field("page_end", fast=True)
    return builder.build()


def _hits(searcher: Any, query: Any, limit: int) -> list[tuple[float, Any]]:  # noqa: ANN401
    found = searcher.search(query, limit=limit, count=False).hits
    return [(round(score, _SCORE_DECIMALS), address) for score, address in found]


def _id_of(searcher: Any, address: Any) -> str:  # noqa: ANN401
    return str(searcher.doc(address)["id"][0])


def _number_of(source: str) -> int:
    """A file as a number of 60 bits, which tantivy compares faster than its name."""
    digest = hashlib.blake2b(source.encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest) >> 4
