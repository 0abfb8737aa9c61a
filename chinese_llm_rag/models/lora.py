"""The LoRA packages the family's authors published, and the AWQ repository.

A package holds a peft adapter (r 64, alpha 128, all seven projections) with full embeddings and lm-head for
the 55,296 pieces and the tokenizer; `models merge` joins it with its base. Names, bases and sizes are those
of the README's LoRA tables. The 1.3B models were trained in full and the RLHF models came as full models, so
neither has a package.
"""

from dataclasses import dataclass

from chinese_llm_rag.models.family import FamilyModel, Kind, family_model

# The search results of AWQ (4 bit, groups of 128) for the family, not weights: they are applied to full weights
# with the AWQ tools.
AWQ_REPOSITORY = "hfl/chinese-llama-alpaca-2-awq"


@dataclass(frozen=True, slots=True)
class LoraPackage:
    """One published adapter; `base` is the original Llama 2 it is merged with, `model` the full model that gives.

    `download_gb` counts units of 2**30 bytes.
    """

    name: str
    kind: Kind
    model: str
    base: str
    download_gb: float

    @property
    def huggingface(self) -> str:
        """Repository on Hugging Face."""
        return f"hfl/{self.name}"

    @property
    def modelscope(self) -> str:
        """Repository on ModelScope."""
        return f"ChineseAlpacaGroup/{self.name}"

    @property
    def merged(self) -> FamilyModel:
        """The family's full model that the merge gives."""
        model = family_model(self.model)
        assert model is not None
        return model


def _package(model_name: str) -> LoraPackage:
    stem, _, rest = model_name.partition("-2-")
    size = rest.partition("-")[0]
    return LoraPackage(
        name=f"{stem}-2-lora-{rest}",
        kind="chat" if "alpaca" in stem else "base",
        model=model_name,
        base=f"meta-llama/Llama-2-{size}-hf",
        download_gb={"7b": 1.1, "13b": 1.5}[size],
    )


LORA: tuple[LoraPackage, ...] = tuple(
    _package(name)
    for name in (
        "chinese-llama-2-13b",
        "chinese-llama-2-7b",
        "chinese-alpaca-2-13b",
        "chinese-alpaca-2-7b",
        "chinese-llama-2-7b-64k",
        "chinese-alpaca-2-7b-64k",
        "chinese-llama-2-13b-16k",
        "chinese-llama-2-7b-16k",
        "chinese-alpaca-2-13b-16k",
        "chinese-alpaca-2-7b-16k",
    )
)


def lora_package(name: str) -> LoraPackage | None:
    """The LoRA package of this name."""
    return next((package for package in LORA if package.name == name), None)
