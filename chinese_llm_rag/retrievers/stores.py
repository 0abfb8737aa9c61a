"""Vector stores for collections that outgrow one folder: a Chroma server, and Milvus.

Each is LangChain's own class, set up so that DenseRetriever finds over it what it finds over a knowledge base's
vectors. Nothing is sent anywhere but to the server that is named.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from langchain_core.embeddings import Embeddings

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION

if TYPE_CHECKING:
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from langchain_chroma import Chroma

    from chinese_llm_rag.retrievers.milvus import ChunkMilvus

_DEFAULT_PORTS = {"http": 8000, "https": 443}


def chroma_server_store(
    embeddings: Embeddings, url: str, collection: str = "chunks", *, headers: Mapping[str, str] | None = None
) -> "Chroma":
    """A collection on a Chroma server (`chroma run`), made where it is missing. DenseRetriever takes it as it is.

    Args:
        embeddings: the model of queries, and of what is added.
        url: for example "http://127.0.0.1:8000".
        collection: its name.
        headers: sent with each request, for example an authorization.

    Raises:
        ConfigError: the address is none, or no server answers there.
    """
    forbid_calling_home()
    import chromadb  # noqa: PLC0415  (takes most of a second)
    from chromadb.config import Settings  # noqa: PLC0415
    from langchain_chroma import Chroma  # noqa: PLC0415

    address = urlsplit(url)
    if address.scheme not in _DEFAULT_PORTS or not address.hostname:
        raise _not_reachable(url, say("expected http://HOST:PORT", "应为 http://主机:端口"))
    try:
        client = chromadb.HttpClient(
            host=address.hostname,
            port=address.port or _DEFAULT_PORTS[address.scheme],
            ssl=address.scheme == "https",
            headers=dict(headers or {}),
            settings=Settings(anonymized_telemetry=False),
        )
    except ValueError as error:  # what chromadb makes of every failure to connect
        raise _not_reachable(url, str(error)) from error
    return Chroma(
        collection,
        embedding_function=embeddings,
        client=client,
        collection_configuration=cast("CreateCollectionConfiguration", CHROMA_CONFIGURATION),
    )


def milvus_store(
    embeddings: Embeddings, uri: str | Path, collection: str = "chunks", *, token: str = ""
) -> "ChunkMilvus":
    """A Milvus collection, made when something is first added. For DenseRetriever pass `to_score=float`.

    Args:
        embeddings: the model of queries, and of what is added.
        uri: "http://HOST:19530" of a server, or a file whose name ends in .db for milvus-lite in this process.
        collection: its name.
        token: "user:password" or an API key.

    Raises:
        MissingDependencyError: langchain-milvus is not installed.
        ConfigError: no Milvus answers there.
    """
    optional_import("langchain_milvus", extra="milvus")
    from chinese_llm_rag.retrievers.milvus import ChunkMilvus  # noqa: PLC0415  (imports what the line above checks)

    pymilvus: Any = optional_import("pymilvus", extra="milvus")
    try:
        return ChunkMilvus(
            embedding_function=embeddings,
            collection_name=collection,
            connection_args={"uri": str(uri), **({"token": token} if token else {})},
            index_params={"index_type": "AUTOINDEX", "metric_type": "COSINE"},
            enable_dynamic_field=True,  # metadata of any kind, lists too
            auto_id=False,
        )
    except pymilvus.MilvusException as error:
        raise _not_reachable(str(uri), str(error)) from error


def _not_reachable(url: str, reason: str) -> ConfigError:
    return ConfigError(
        say(f"there is no vector store at {url!r}: {reason}", f"{url!r} 处没有可用的向量库：{reason}"),
        setting="url",
        hint=say("start the server, or correct the address", "请启动服务，或更正地址"),
    )
