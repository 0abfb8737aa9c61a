"""Every full model the family's authors published.

Sizes, windows and RoPE follow the README of ymcui/Chinese-LLaMA-Alpaca-2 and the config.json files of the
hub's repositories; the layers and widths are also in the authors' merging script (1.3B: 4 layers as wide
as the 7B's).
"""

from dataclasses import dataclass
from typing import Literal

FAMILY_ARCHITECTURE = "llama"
FAMILY_VOCABULARY = 55_296
TRAINED_WINDOW = 4096

Kind = Literal["base", "chat"]
Size = Literal["1.3B", "7B", "13B"]


@dataclass(frozen=True, slots=True)
class Rope:
    """How positions beyond `original_window` were trained: not at all, by interpolation, or by YaRN."""

    method: Literal["none", "linear", "yarn"] = "none"
    factor: float = 1.0
    original_window: int = TRAINED_WINDOW


@dataclass(frozen=True, slots=True)
class FamilyModel:
    """One published model.

    Attributes:
        window: what it was trained for, in tokens.
        best_window: the window its authors advise where that is less than `window`.
        ntk_windows: how far NTK scaling without training takes it, from and to; None where it does not.
        download_gb: the full weights in f16, in units of 2**30 bytes, as the README gives them.
    """

    name: str
    kind: Kind
    size: Size
    window: int
    rope: Rope
    layers: int
    heads: int
    width: int
    feed_forward: int
    download_gb: float
    ntk_windows: tuple[int, int] | None = None
    best_window: int | None = None
    vocabulary: int = FAMILY_VOCABULARY

    @property
    def huggingface(self) -> str:
        """Repository of the full weights on Hugging Face."""
        return f"hfl/{self.name}"

    @property
    def huggingface_gguf(self) -> str:
        """Repository of the GGUF files on Hugging Face. List it: file names differ between models."""
        return f"hfl/{self.name}-gguf"

    @property
    def modelscope(self) -> str:
        """Repository of the full weights on ModelScope. The authors list GGUF files on Hugging Face only."""
        return f"ChineseAlpacaGroup/{self.name}"

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of the KV cache for one token in f16: keys and values of every layer, all heads."""
        return 2 * self.layers * self.width * 2


@dataclass(frozen=True, slots=True)
class _Shape:
    layers: int
    heads: int
    width: int
    feed_forward: int
    download_gb: float


_SHAPES: dict[Size, _Shape] = {
    "1.3B": _Shape(4, 32, 4096, 11008, 2.4),
    "7B": _Shape(32, 32, 4096, 11008, 12.9),
    "13B": _Shape(40, 40, 5120, 13824, 24.7),
}
_PLAIN = Rope()
_LINEAR_4 = Rope("linear", 4.0)
_YARN_16 = Rope("yarn", 16.0)
_NTK: dict[str, tuple[int, int]] = {"none": (12 * 1024, 18 * 1024), "linear": (24 * 1024, 32 * 1024)}


def _model(kind: Kind, size: Size, rope: Rope = _PLAIN, suffix: str = "", best: int | None = None) -> FamilyModel:
    stem = "chinese-alpaca-2" if kind == "chat" else "chinese-llama-2"
    shape = _SHAPES[size]
    return FamilyModel(
        name=f"{stem}-{size.lower()}{suffix}",
        kind=kind,
        size=size,
        window=round(rope.original_window * rope.factor),
        rope=rope,
        layers=shape.layers,
        heads=shape.heads,
        width=shape.width,
        feed_forward=shape.feed_forward,
        download_gb=shape.download_gb,
        ntk_windows=_NTK.get(rope.method),
        best_window=best,
    )


FAMILY: tuple[FamilyModel, ...] = (
    _model("base", "1.3B"),
    _model("base", "7B"),
    _model("base", "13B"),
    _model("chat", "1.3B"),
    _model("chat", "7B"),
    _model("chat", "13B"),
    _model("base", "7B", _LINEAR_4, "-16k"),
    _model("base", "13B", _LINEAR_4, "-16k"),
    _model("chat", "7B", _LINEAR_4, "-16k"),
    _model("chat", "13B", _LINEAR_4, "-16k"),
    _model("base", "7B", _YARN_16, "-64k"),
    _model("chat", "7B", _YARN_16, "-64k"),
    _model("chat", "1.3B", suffix="-rlhf", best=1024),  # its model card: best with 1K, `-c 1024`
    _model("chat", "7B", suffix="-rlhf"),
)


def family_model(name: str) -> FamilyModel | None:
    """The family's model of exactly this name; `names.identify` reads names as people write them."""
    return next((model for model in FAMILY if model.name == name), None)


def is_family_vocabulary(architecture: str, size: int) -> bool:
    """Whether a model with this architecture and vocabulary belongs to the second generation of the family.

    Base and chat models share the vocabulary, so this does not tell them apart. The first generation has
    49,953 or 49,954 pieces and another chat format.
    """
    return architecture == FAMILY_ARCHITECTURE and size == FAMILY_VOCABULARY
