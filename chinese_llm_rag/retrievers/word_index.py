"""The words of all chunks, ranked by BM25: a tantivy index on disk or in memory.

Knows terms (chinese_text.search_terms), chunk ids and the file a chunk comes from; the chunks
themselves are elsewhere.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say

# Raised whenever the terms or the fields of the index change: what holds other terms is built again.
TERMS_VERSION = 1
# A question has some twenty terms. A pasted page has thousands, and time grows with each: beyond this
# many different ones only the rarest are looked for.
MAX_QUERY_TERMS = 256
_WRITER_HEAP_BYTES = 50_000_000
_SCORE_DECIMALS = 4  # single precision sums of the same terms in another order differ below this


class WordIndex:
    """Chunk ids by the words of their text; BM25 with k1 = 1.2 and b = 0.75.

    Every term of a query adds its BM25 weight, once for each time it occurs in the query. No
    character of a query is an operator. Lengths count in steps that grow with the length (tantivy
    stores one byte), and a deleted chunk counts in document frequency and average length until its
    segment is merged, so scores can shift a little after a merge.

    A handle sees what any handle of the same folder has committed. Writing begins with the first
    `add` or `delete` and takes the folder's writer lock until `close`; searching takes none. All
    methods may be called from several threads.

    Args:
        folder: where the index is or shall be; None keeps it in memory.

    Raises:
        KnowledgeBaseError: the folder holds a damaged index, or another handle is writing to it.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        import tantivy  # noqa: PLC0415  (keeps `--help` instant)

        self.folder = Path(folder) if folder is not None else None
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

    def add(self, items: Iterable[tuple[str, str, str]]) -> None:
        """Take in chunks as (id, text, source); one with the same id is replaced. Visible after `commit`."""
        with self._lock:
            writer = self._changing_writer()
            for chunk_id, text, source in items:
                writer.delete_documents_by_term("id", chunk_id)
                writer.add_document(
                    self._tantivy.Document(id=chunk_id, source=_plain(source), body=" ".join(search_terms(text)))
                )

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

    def search(self, query: str, k: int, *, sources: Collection[str] | None = None) -> list[tuple[str, float]]:
        """The k best chunks as (id, score), best first, equal scores by id; fewer when fewer match.

        Args:
            query: any text; one without a letter or digit finds nothing.
            k: how many at most.
            sources: only chunks of these files.
        """
        if k < 1:
            return []
        searcher = self._searcher()
        terms = self._query_terms(searcher, query)
        if not terms or (sources is not None and not sources):
            return []
        wanted = self._query(terms, sources)
        n_fetched = k + 1
        while True:
            hits = [(round(score, _SCORE_DECIMALS), address) for score, address in _hits(searcher, wanted, n_fetched)]
            # The order among equals is settled by id, so all equals of the last one must be known.
            if len(hits) < n_fetched or hits[-1][0] < hits[k - 1][0]:
                break
            n_fetched *= 2
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

    def __len__(self) -> int:
        return int(self._searcher().num_docs)

    # --- below here: tantivy ------------------------------------------------------------------

    def _query_terms(self, searcher: Any, query: str) -> list[tuple[str, int]]:  # noqa: ANN401
        counted = Counter(search_terms(query))
        if len(counted) <= MAX_QUERY_TERMS:
            return list(counted.items())
        frequency = {term: searcher.doc_freq("body", term) for term in counted}
        known = sorted((term for term in counted if frequency[term]), key=lambda term: (frequency[term], term))
        return [(term, counted[term]) for term in known[:MAX_QUERY_TERMS]]

    def _query(self, terms: Sequence[tuple[str, int]], sources: Collection[str] | None) -> Any:  # noqa: ANN401
        make, occur = self._tantivy.Query, self._tantivy.Occur
        parts = []
        for term, count in terms:
            part = make.term_query(self._schema, "body", term, "freq")
            parts.append((occur.Should, part if count == 1 else make.boost_query(part, float(count))))
        words = make.boolean_query(parts)
        if sources is None:
            return words
        of_sources = make.term_set_query(self._schema, "source", sorted(_plain(source) for source in sources))
        return make.boolean_query([(occur.Must, words), (occur.Must, make.const_score_query(of_sources, 0.0))])

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
    builder.add_text_field("source", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _hits(searcher: Any, query: Any, limit: int) -> list[tuple[float, Any]]:  # noqa: ANN401
    return list(searcher.search(query, limit=limit, count=False).hits)


def _id_of(searcher: Any, address: Any) -> str:  # noqa: ANN401
    return str(searcher.doc(address)["id"][0])


def _plain(source: str) -> str:
    """A file name that tantivy takes: bytes that are no UTF-8 (surrogates) written as escapes."""
    return source.encode("utf-8", "backslashreplace").decode("utf-8")
