"""Cross-encoders in sentence-transformers form: a local folder, or a name in the local hub cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, limit_pools, thread_budget
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.offline import forbid_calling_home

_EXTRA = "hf"
_FOREIGN_ERRORS = (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError)


class SentenceTransformerScorer:
    """A cross-encoder with one output, for example BGE-reranker. Nothing is downloaded.

    What a pair has beyond `max_tokens` is cut off at the passage's end.

    Args:
        model: a folder, or a hub name that is in the local cache.
        device: a torch device, for example "cpu" or "cuda:0".
        max_tokens: of question and passage together; by default the model's own limit.
        n_threads: threads of torch, process-wide; by default all cores.

    Raises:
        MissingDependencyError: sentence-transformers is not installed.
        ModelLoadError: the model is not here, is incomplete, or does not score pairs.
        ConfigError: max_tokens is too small for any pair.
    """

    def __init__(
        self, model: str | Path, *, device: str = "cpu", max_tokens: int | None = None, n_threads: int | None = None
    ) -> None:
        if max_tokens is not None and max_tokens < 8:
            raise ConfigError(
                say(f"max_tokens={max_tokens!r}, expected at least 8", f"max_tokens={max_tokens!r}，应至少为 8"),
                setting="max_tokens",
            )
        forbid_calling_home()
        limit_pools(thread_budget(n_threads))
        torch = optional_import("torch", extra=_EXTRA)
        library = optional_import("sentence_transformers", extra=_EXTRA)
        safetensors = optional_import("safetensors", extra=_EXTRA)
        torch.set_num_threads(thread_budget(n_threads))
        try:
            self._model: Any = library.CrossEncoder(
                str(model), device=device, max_length=max_tokens, local_files_only=True
            )
        except (*_FOREIGN_ERRORS, safetensors.SafetensorError) as error:
            raise ModelLoadError(
                say(
                    f"the cross-encoder {str(model)!r} cannot be loaded: {error}",
                    f"无法加载重排模型 {str(model)!r}：{error}",
                ),
                hint=say("give the folder of a complete model", "请给出完整模型的文件夹"),
            ) from error
        n_labels = int(self._model.config.num_labels)
        if n_labels != 1:
            raise ModelLoadError(
                say(
                    f"{str(model)!r} gives {n_labels} values for a pair, expected one score",
                    f"{str(model)!r} 对每一对文本给出 {n_labels} 个值，应为一个分数",
                ),
                hint=say("use a reranker, not a classifier", "请使用重排模型，而不是分类模型"),
            )
        self._model.tokenizer.split_special_tokens = True  # "</s>" in a document is text
        self._identity = f"sentence-transformers {Path(model).resolve()} {self._model.max_seq_length}"

    @property
    def identity(self) -> str:
        """The model's place and the length it reads."""
        return self._identity

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """The model's raw scores (logits), one a passage."""
        if not passages:
            return []
        torch = optional_import("torch", extra=_EXTRA)
        with compute_slot():
            scores = self._model.predict(
                [(_encodable(query), _encodable(passage)) for passage in passages],
                batch_size=len(passages),
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
        return [float(score) for score in np.asarray(scores, dtype=np.float64).reshape(len(passages))]


def _encodable(text: str) -> str:
    """The text without lone surrogates, which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
