"""The Chinese-LLaMA-2 / Alpaca-2 family, and the small models that come as packages. Data only.

Nothing here says whether a model is on this machine.
"""

from chinese_llm_rag.models.advice import USES, Use, advice
from chinese_llm_rag.models.describe import describe_model, describe_models
from chinese_llm_rag.models.family import (
    FAMILY,
    FAMILY_ARCHITECTURE,
    FAMILY_VOCABULARY,
    TRAINED_WINDOW,
    FamilyModel,
    Rope,
    family_model,
    is_family_vocabulary,
)
from chinese_llm_rag.models.lora import AWQ_REPOSITORY, LORA, LoraPackage, lora_package
from chinese_llm_rag.models.names import identify
from chinese_llm_rag.models.packaged import PACKAGED, PackagedModel, packaged_model
from chinese_llm_rag.models.quantized import Quantized, quantized

__all__ = [
    "AWQ_REPOSITORY",
    "FAMILY",
    "FAMILY_ARCHITECTURE",
    "FAMILY_VOCABULARY",
    "LORA",
    "PACKAGED",
    "TRAINED_WINDOW",
    "USES",
    "FamilyModel",
    "LoraPackage",
    "PackagedModel",
    "Quantized",
    "Rope",
    "Use",
    "advice",
    "describe_model",
    "describe_models",
    "family_model",
    "identify",
    "is_family_vocabulary",
    "lora_package",
    "packaged_model",
    "quantized",
]
