"""What a model file or folder is, what it needs, whether it fits, and what this machine has. Loads no weights."""

from chinese_llm_rag.doctor.machine import PACKAGES, MachineReport, inspect_machine
from chinese_llm_rag.doctor.model import ModelReport, inspect_model

__all__ = ["PACKAGES", "MachineReport", "ModelReport", "inspect_machine", "inspect_model"]
