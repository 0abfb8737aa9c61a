"""LangChain's standard suites over every store that our retrievers read, and our retriever over every store."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests.retrievers import RetrieversIntegrationTests
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION, DenseRetriever, cosine_similarity
from chinese_llm_rag.retrievers.hybrid import HybridRetriever
from chinese_llm_rag.retrievers.milvus import ChunkMilvus
from chinese_llm_rag.retrievers.stores import chroma_server_store, milvus_store
from chinese_llm_rag.testing import HashEmbeddings

LOOPBACK = pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"])


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server of this test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], stdout=log, stderr=log)
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def emptied(store: Any) -> Iterator[VectorStore]:
    yield store
    store.delete_collection()


@contextmanager
def milvus_lite(embeddings: Embeddings, path: Path) -> Iterator[ChunkMilvus]:
    """A store in a file, and the engine that serves it ended afterwards."""
    from milvus_lite.server_manager import server_manager_instance

    store = milvus_store(embeddings, path)
    try:
        yield store
    finally:
        store.client.close()
        server_manager_instance.release_server(str(path))


class TestChromaEmbedded(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:
        import chromadb
        from langchain_chroma import Chroma

        client = chromadb.PersistentClient(
            str(tmp_path / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False)
        )
        embeddings = self.get_embeddings()
        yield Chroma(
            "chunks",
            embedding_function=embeddings,
            client=client,
            collection_configuration=CHROMA_CONFIGURATION,
        )
        client.close()


@LOOPBACK
class TestChromaServer(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, server_url: str) -> Iterator[VectorStore]:
        yield from emptied(chroma_server_store(self.get_embeddings(), server_url, "suite"))


@LOOPBACK
class TestMilvusLite(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:
        with milvus_lite(self.get_embeddings(), tmp_path / "milvus.db") as store:
            yield store


# --- our retriever over each of them --------------------------------------------------------------

TEXTS = [
    "增值税一般纳税人应当按月申报纳税。",
    "北京大学位于北京市海淀区。",
    "螺旋藻含有丰富的蛋白质。",
    "高铁从上海到杭州约需一小时。",
    "医生建议他每天步行半小时。",
]
DOCUMENTS = [
    Document(text, id=f"c{n}", metadata={"chunk_id": f"c{n}", "source": f"{n}.txt", "start": 0, "end": len(text)})
    for n, text in enumerate(TEXTS)
]
EMBEDDINGS = HashEmbeddings(64)


@pytest.fixture(params=["Chroma server", "Milvus"])
def dense(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The fields of a DenseRetriever over five documents."""
    if request.param == "Milvus":
        with milvus_lite(EMBEDDINGS, tmp_path / "milvus.db") as milvus:
            milvus.add_documents(DOCUMENTS)
            yield {"vector_store": milvus, "to_score": float}
    else:
        chroma = chroma_server_store(EMBEDDINGS, request.getfixturevalue("server_url"), "retriever")
        chroma.add_documents(DOCUMENTS)
        yield {"vector_store": chroma, "to_score": cosine_similarity}
        chroma.delete_collection()


class _OverTheStore(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _dense(self, dense: dict[str, Any]) -> None:
        self.fields = dense

    @property
    def retriever_query_example(self) -> str:
        return "北京的大学在哪个区？"


@LOOPBACK
class TestDenseRetriever(_OverTheStore):
    @property
    def retriever_constructor(self) -> type[DenseRetriever]:
        return DenseRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return self.fields

    def test_scores_are_cosine_similarities_and_metadata_is_what_was_put(self, retriever: DenseRetriever) -> None:
        query = "北京大学"
        vector = EMBEDDINGS.embed_query(query)
        for found in retriever.invoke(query, k=5):
            given = DOCUMENTS[int(str(found.id)[1:])]
            passage = EMBEDDINGS.embed_documents([given.page_content])[0]
            cosine = sum(a * b for a, b in zip(vector, passage, strict=True))
            assert found.metadata == {**given.metadata, "score": pytest.approx(cosine, abs=1e-5)}
            assert found.page_content == given.page_content


@LOOPBACK
class TestHybridRetriever(_OverTheStore):
    @property
    def retriever_constructor(self) -> type[HybridRetriever]:
        return HybridRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"bm25": BM25Retriever.from_documents(DOCUMENTS), "dense": DenseRetriever(**self.fields)}

    def test_the_text_that_answers_comes_first(self, retriever: HybridRetriever) -> None:
        assert retriever.invoke("北京大学在哪里？")[0].id == "c1"


# --- bad input ------------------------------------------------------------------------------------


@LOOPBACK
@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://127.0.0.1:9"])
def test_a_chroma_server_that_is_not_there_is_a_clear_error(url):
    with pytest.raises(ConfigError, match="no vector store") as error:
        chroma_server_store(EMBEDDINGS, url)
    assert error.value.hint


@LOOPBACK
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nowhere/at/all/x.db", "not an address"])
def test_a_milvus_that_is_not_there_is_a_clear_error(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no vector store"):
        milvus_store(EMBEDDINGS, uri)


def test_an_id_with_quotes_is_no_expression_to_milvus(tmp_path):
    with milvus_lite(EMBEDDINGS, tmp_path / "milvus.db") as store:
        store.add_documents(DOCUMENTS)
        store.delete(["c1'] or pk in ['c2", 'c3" or 1 == 1\\'])
        assert len(store.get_by_ids([f"c{n}" for n in range(5)])) == 5


@pytest.mark.parametrize("identity", ['a"b', "a'b", "a\\", "中文\n"])
def test_any_id_is_found_and_deleted_in_milvus(tmp_path, identity):
    with milvus_lite(EMBEDDINGS, tmp_path / "milvus.db") as store:
        store.add_documents([*DOCUMENTS, Document("苹果", id=identity)])
        assert [document.page_content for document in store.get_by_ids([identity])] == ["苹果"]
        store.delete([identity])
        assert store.get_by_ids([identity]) == []
