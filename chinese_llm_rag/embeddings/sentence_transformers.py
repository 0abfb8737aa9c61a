"""Embedding models in sentence-transformers form: a local folder, or a name in the local hub cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, limit_pools, thread_budget
from chinese_llm_rag.embeddings.base import EmbeddingFingerprint
from chinese_llm_rag.embeddings.model_description import Prefixes, offers_dimension, prefixes_of
from chinese_llm_rag.embeddings.texts import encodable, iter_batches
from chinese_llm_rag.embeddings.weights_identity import weights_identity
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.offline import forbid_calling_home

_EXTRA = "hf"
_OTHER_RUNTIMES = {"onnx", "openvino"}
_IDENTIFYING = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "sentence_bert_config.json")
_BATCH_CHARS = 8_000
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
# Names under which a model's config keeps its prefixes.
_QUERY_PROMPTS = ("query",)
_PASSAGE_PROMPTS = ("document", "passage", "corpus")


class SentenceTransformerEmbeddings(Embeddings):
    """Vectors of unit length, float32, from any sentence-transformers model. Nothing is downloaded.

    What a text has beyond `max_tokens` tokens the model does not see: choose chunks below that.

    Args:
        model: a folder with a modules.json, or a hub name that is in the local cache.
        query_prefix: put before queries; by default the model's own prompt for queries, or what its family's model
            card says (E5, BGE), or nothing.
        passage_prefix: put before passages; likewise.
        dimension: take the first so many numbers of each vector, where the model was trained for that; None takes
            all.
        device: a torch device, for example "cpu" or "cuda:0".
        batch_size: texts at once.
        n_threads: threads of torch, process-wide; by default all cores.

    Raises:
        MissingDependencyError: sentence-transformers is not installed.
        ConfigError: batch_size is below 1, or the model does not offer the dimension.
        ModelLoadError: the model is not here, is incomplete, or needs code of its own.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        dimension: int | None = None,
        device: str = "cpu",
        batch_size: int = 16,
        n_threads: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(
                say(f"batch_size={batch_size!r}, expected at least 1", f"batch_size={batch_size!r}，应至少为 1"),
                setting="batch_size",
            )
        forbid_calling_home()
        limit_pools(thread_budget(n_threads))
        folder = _folder_of(model)
        self._name = str(folder)
        self.batch_size = batch_size
        self._model = _loaded(folder, device, thread_budget(n_threads))
        prompts = {name: prompt for name, prompt in self._model.prompts.items() if prompt is not None}
        stated = _stated_prefixes(prompts) or prefixes_of(folder, str(model)) or Prefixes("", "")
        self._query_prefix = stated.query if query_prefix is None else query_prefix
        self._passage_prefix = stated.passage if passage_prefix is None else passage_prefix
        self._dimension = dimension
        full = int(self._model.get_embedding_dimension())
        if dimension is not None:
            _check_dimension(folder, dimension, full)
        self._fingerprint = EmbeddingFingerprint(
            model=f"sentence-transformers {_identity(folder)}",
            dimension=dimension or full,
            query_prefix=self._query_prefix,
            passage_prefix=self._passage_prefix,
            pooling=_pooling(self._model),
        )

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """Identity of the weights and of the way they are used."""
        return self._fingerprint

    @property
    def setup(self) -> dict[str, str]:
        """The settings that this model is had by."""
        shorter = {} if self._dimension is None else {"embedding_dimension": str(self._dimension)}
        return {"embeddings": "sentence-transformers", "embedding_model": self._name, **shorter}

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text the model sees; None when it sees all."""
        limit: int | None = self._model.max_seq_length
        return limit

    def embed_documents_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """The vectors of passages, shape [len(texts), dimension]."""
        vectors = np.empty((len(texts), self._fingerprint.dimension), dtype=np.float32)
        clean = [encodable(text) for text in texts]
        # Batches are padded to their longest text, so texts of like length go together.
        order = sorted(range(len(clean)), key=lambda position: len(clean[position]))
        by_length = [clean[position] for position in order]
        for batch in iter_batches(by_length, max_texts=self.batch_size, max_chars=_BATCH_CHARS):
            part = [by_length[i] for i in batch]
            vectors[[order[i] for i in batch]] = self._encoded(self._model.encode_document, part, self._passage_prefix)
        return vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of passages, in order."""
        vectors: list[list[float]] = self.embed_documents_array(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        part = [encodable(text)]
        vector: list[float] = self._encoded(self._model.encode_query, part, self._query_prefix)[0].tolist()
        return vector

    def count_tokens(self, text: str) -> int:
        """Tokens of a passage for the model, its prefix and special tokens included, before it is cut."""
        return len(self._model.tokenizer(self._passage_prefix + encodable(text), truncation=False)["input_ids"])

    def _encoded(self, encode: Any, texts: list[str], prefix: str) -> npt.NDArray[np.float32]:  # noqa: ANN401
        with compute_slot():
            vectors = encode(
                texts,
                prompt=prefix,
                batch_size=len(texts),
                normalize_embeddings=True,
                convert_to_numpy=True,
                truncate_dim=self._dimension,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)


def _folder_of(model: str | Path) -> Path:
    """The folder the model lies in.

    Raises:
        ModelLoadError: it is in no folder and not in the hub's cache, or is no sentence-transformers model.
    """
    folder = Path(model)
    if not folder.is_dir():
        folder = _cached(model)
    if not (folder / "modules.json").is_file():
        # Without it sentence-transformers would guess a mean pooling, which may be wrong for the model.
        raise ModelLoadError(
            say(f"{str(folder)!r} has no modules.json", f"{str(folder)!r} 中没有 modules.json"),
            hint=say(
                "give a folder in sentence-transformers form, with its pooling and weights",
                "请给出 sentence-transformers 格式的完整模型文件夹（含池化配置和权重）",
            ),
        )
    if not any(True for name in _VOCABULARIES for _ in folder.rglob(name)):
        # Without one transformers makes a tokenizer that knows no word.
        raise ModelLoadError(
            say(f"{str(folder)!r} has no tokenizer", f"{str(folder)!r} 中没有分词器"),
            hint=say("copy the model's folder again, with all its files", "请重新复制模型文件夹及其全部文件"),
        )
    return folder


def _cached(model: str | Path) -> Path:
    hub = optional_import("huggingface_hub", extra=_EXTRA)
    try:
        return Path(hub.snapshot_download(str(model), local_files_only=True))
    except (OSError, ValueError) as error:  # not in the cache; not a hub name
        raise ModelLoadError(
            say(
                f"the embedding model {str(model)!r} is neither a folder nor in the local cache",
                f"嵌入模型 {str(model)!r} 既不是文件夹，也不在本地缓存中",
            ),
            hint=say(
                "copy the model's folder to this machine and give its path", "请把模型文件夹复制到本机，并给出它的路径"
            ),
        ) from error


def _loaded(folder: Path, device: str, n_threads: int) -> Any:  # noqa: ANN401
    torch = optional_import("torch", extra=_EXTRA)
    library = optional_import("sentence_transformers", extra=_EXTRA)
    torch.set_num_threads(n_threads)
    with _load_errors(folder):
        return library.SentenceTransformer(
            str(folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32}
        )


@contextmanager
def _load_errors(folder: Path) -> Iterator[None]:
    safetensors = optional_import("safetensors", extra=_EXTRA)
    foreign = (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError)
    try:
        yield
    except (*foreign, safetensors.SafetensorError) as error:
        raise ModelLoadError(
            say(
                f"the embedding model in {str(folder)!r} cannot be loaded: {error}",
                f"无法加载 {str(folder)!r} 中的嵌入模型：{error}",
            ),
            hint=say("check that the folder is complete; copy it again if not", "请检查文件夹是否完整，必要时重新复制"),
        ) from error


def _stated_prefixes(prompts: dict[str, str]) -> Prefixes | None:
    """What the model's configuration has as prompts; None where it has none."""
    query = next((prompts[name] for name in _QUERY_PROMPTS if prompts.get(name)), "")
    passage = next((prompts[name] for name in _PASSAGE_PROMPTS if prompts.get(name)), "")
    return Prefixes(query, passage) if query or passage else None


def _check_dimension(folder: Path, dimension: int, full: int) -> None:
    if 1 <= dimension < full and offers_dimension(folder, dimension):
        return
    raise ConfigError(
        say(
            f"dimension={dimension!r}: the model in {str(folder)!r} has vectors of {full} and does not offer that many",
            f"dimension={dimension!r}：{str(folder)!r} 中的模型向量为 {full} 维，不提供该维数",
        ),
        setting="dimension",
        hint=say(
            "leave it out, or choose one that the model card names (Matryoshka)",
            "请不指定该项，或使用模型说明中列出的维数（Matryoshka）",
        ),
    )


def _identity(folder: Path) -> str:
    """What the model is, whatever its folder is called: its weights, its tokenizer and its length limit."""
    weights = [file for file in sorted(folder.rglob("*.safetensors")) if not _OTHER_RUNTIMES & set(file.parts)]
    legacy = [] if weights else sorted(folder.rglob("pytorch_model*.bin"))
    others = [folder / name for name in _IDENTIFYING if (folder / name).is_file()]
    return weights_identity([*weights, *legacy, *others])


def _pooling(model: Any) -> str:  # noqa: ANN401
    """The pooling as the loaded model has it, for example "mean" or "cls"; the module's name where it has none."""
    for module in model:
        mode = getattr(module, "pooling_mode", None)
        if mode is not None:
            return mode if isinstance(mode, str) else "+".join(mode)
    return type(model[-1]).__name__
