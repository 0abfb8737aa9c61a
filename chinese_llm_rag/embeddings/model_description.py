"""What an embedding model's folder says about its use, where sentence-transformers itself does not read it.

Most Chinese embedding models were published before prompts had a place in a model's configuration: their model cards
tell people what to put before a query, and a program that does not is some points worse without a word of warning.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What is put before a text of either kind; "" for nothing."""

    query: str
    passage: str


_NONE = Prefixes("", "")
_E5 = Prefixes("query: ", "passage: ")
_E5_INSTRUCT = Prefixes(
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ", ""
)
_BGE_CHINESE = Prefixes("为这个句子生成表示以用于检索相关文章：", "")
_BGE_ENGLISH = Prefixes("Represent this sentence for searching relevant passages: ", "")
# By what a model is called, the first that fits; as each family's model card has it.
_FAMILIES: tuple[tuple[re.Pattern[str], Prefixes], ...] = tuple(
    (re.compile(rf"(?:^|[/_-]){pattern}", re.IGNORECASE), prefixes)
    for pattern, prefixes in (
        (r"e5-(?:small|base|large)-instruct\b", _E5_INSTRUCT),
        (r"e5-(?:small|base|large)(?:-v2|-unsupervised)?$", _E5),
        (r"bge-(?:small|base|large)-zh-noinstruct$", _NONE),
        (r"bge-(?:small|base|large)-zh(?:-v1\.5)?$", _BGE_CHINESE),
        (r"bge-(?:small|base|large)-en(?:-v1\.5)?$", _BGE_ENGLISH),
        (r"bge-m3\b", _NONE),
        (r"text2vec-", _NONE),
        (r"gte-(?:small|base|large|multilingual)", _NONE),
    )
)
_HEADING = re.compile(r"^#\s+(?:<[^>]+>\s*)*([\w./-]+)", re.MULTILINE)
_MATRYOSHKA = re.compile("matryoshka", re.IGNORECASE)
_CONFIG_KEY = "matryoshka_dimensions"


def prefixes_of(folder: Path, name: str = "") -> Prefixes | None:
    """The prefixes of the model's family; None where nothing says which family it is of.

    Args:
        folder: the model.
        name: what it was asked for by, for example its hub name.
    """
    for called in _names(folder, name):
        for pattern, prefixes in _FAMILIES:
            if pattern.search(called):
                return prefixes
    return None


def offers_dimension(folder: Path, dimension: int) -> bool:
    """Whether the model says that the first `dimension` numbers of its vectors are vectors of their own.

    By the list in its configuration, or else by what its model card says of its training (Kusupati and others,
    "Matryoshka Representation Learning", NeurIPS 2022).
    """
    stated = _config(folder).get(_CONFIG_KEY)
    if isinstance(stated, list):
        return dimension in stated
    return _MATRYOSHKA.search(_card(folder)) is not None


def _names(folder: Path, name: str) -> Iterable[str]:
    yield name.rstrip("/")
    yield folder.name
    for part in folder.parts:  # of the hub's cache: models--BAAI--bge-small-zh-v1.5
        if part.startswith("models--"):
            yield part.rpartition("--")[2]
    yield str(_config(folder).get("_name_or_path", "")).rstrip("/")
    heading = _HEADING.search(_card(folder))
    if heading is not None:
        yield heading[1]


def _config(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # what is missing or damaged is said when the model is loaded
        return {}
    return found if isinstance(found, dict) else {}


def _card(folder: Path) -> str:
    try:
        return (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
