"""Names that come from a client, checked before anything is made of them. Pure.

A name never leads out of the folder that is ours: no part of it is empty, hidden, a step upwards, or something
that a file system takes for more than a name.
"""

import hashlib
import re

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.language import say

_BASE = re.compile(r"\w(?:[\w\-. ]{0,62}\w)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff<>:"|?*\\]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_MOST_BYTES = 200  # of one part; file systems allow 255, and something is put before it while it arrives
_MOST_PARTS = 8


def base_name(name: str) -> str:
    """The name of a knowledge base, as it is.

    Raises:
        RefusedError: it could not be the name of a folder everywhere.
    """
    if not _BASE.fullmatch(name) or _RESERVED.fullmatch(name) or len(name.encode()) > _MOST_BYTES:
        raise RefusedError(
            "invalid",
            say(f"{name!r} cannot be the name of a knowledge base", f"{name!r} 不能用作知识库名称"),
            hint=say(
                "up to 64 letters, digits, Chinese characters, hyphens, dots and blanks within",
                "最多 64 个字母、数字、汉字，中间可有连字符、点和空格",
            ),
            setting="kb",
        )
    return name


def document_name(name: str) -> tuple[str, ...]:
    """The parts of a document's name: folders, if any, and the file's own name.

    Raises:
        RefusedError: a part of it is no plain name.
    """
    parts = tuple(name.split("/"))
    for part in parts:
        bad = (
            not part
            or part.startswith(".")
            or part != part.strip()
            or part.endswith(".")
            or _FORBIDDEN.search(part)
            or _RESERVED.fullmatch(part)
        )
        if bad or len(part.encode("utf-8", "surrogatepass")) > _MOST_BYTES or len(parts) > _MOST_PARTS:
            raise RefusedError(
                "invalid",
                say(f"{name[:200]!r} cannot be the name of a document", f"{name[:200]!r} 不能用作文档名称"),
                hint=say(
                    "plain names, with / between folders: no .., no hidden names, no control characters",
                    "请使用普通文件名，文件夹之间用 /，不能含 ..、隐藏名称或控制字符",
                ),
                setting="name",
            )
    return parts


def document_id(path: str) -> str:
    """What a document is called in addresses: a hash of the path that the knowledge base knows it by."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:24]
