"""LangChain's Milvus store with what LangChain's standard asks of a store and it lacks: documents keep their ids.

Imports langchain_milvus: import this module when it is used, as `stores.milvus_store` does.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.runnables import run_in_executor
from langchain_milvus import Milvus


class ChunkMilvus(Milvus):
    """Documents have their ids when they are found; one that is added under an id that is there replaces it."""

    def add_texts(  # type: ignore[override]  # theirs names the parameters that are passed on here
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add texts under `ids`, or under new ones."""
        given = list(texts)
        ids = kwargs.pop("ids", None) or [None] * len(given)
        return self._put(given, metadatas, [identity or uuid.uuid4().hex for identity in ids], **kwargs)

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:  # noqa: ANN401
        """Add documents under `ids`, or their own, or new ones."""
        ids = kwargs.pop("ids", None) or [document.id for document in documents]
        texts = [document.page_content for document in documents]
        return self.add_texts(texts, [document.metadata for document in documents], ids=ids, **kwargs)

    def delete(self, ids: list[str] | None = None, expr: str | None = None, **kwargs: Any) -> bool | None:  # noqa: ANN401
        """Delete by ids or by an expression; ids that are not there are passed over."""
        if ids is None:
            return super().delete(None, expr, **kwargs)
        if ids and self.col is not None:
            self.client.delete(self.collection_name, filter=self._among(ids), **kwargs)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of ids, in no certain order; ids that are not there are passed over."""
        if not ids or self.col is None:
            return []
        rows = self.client.query(self.collection_name, filter=self._among(ids), output_fields=["*"])
        return [self._parse_document(dict(row)) for row in rows]

    async def aadd_texts(  # type: ignore[override]
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> list[str]:
        """As add_texts."""
        return await run_in_executor(None, self.add_texts, list(texts), metadatas, **kwargs)

    async def aadd_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:  # noqa: ANN401
        """As add_documents."""
        return await run_in_executor(None, self.add_documents, documents, **kwargs)

    async def adelete(self, ids: list[str] | None = None, expr: str | None = None, **kwargs: Any) -> bool | None:  # noqa: ANN401
        """As delete."""
        return await run_in_executor(None, self.delete, ids, expr, **kwargs)

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """As get_by_ids."""
        return await run_in_executor(None, self.get_by_ids, ids)

    def _put(
        self,
        texts: list[str],
        metadatas: list[dict[str, Any]] | None,
        ids: list[str],
        **kwargs: Any,  # noqa: ANN401
    ) -> list[str]:
        last = {identity: place for place, identity in enumerate(ids)}  # of several with one id the last one counts
        places = sorted(last.values())
        self.delete(ids=[ids[place] for place in places])
        super().add_texts(
            [texts[place] for place in places],
            None if metadatas is None else [metadatas[place] for place in places],
            ids=[ids[place] for place in places],
            **kwargs,
        )
        return ids

    def _among(self, ids: Sequence[str]) -> str:
        """Milvus' expression for these ids; pymilvus' own lets a quote in an id end it."""
        return f"{self._primary_field} in {json.dumps(list(ids), ensure_ascii=False)}"

    def _parse_document(self, data: dict[str, Any]) -> Document:
        identity = str(data.pop(self._primary_field))
        document = super()._parse_document(data)
        document.id = identity
        return document
