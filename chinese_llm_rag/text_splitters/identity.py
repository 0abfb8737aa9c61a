"""What a length function is known by."""

import hashlib
from collections.abc import Callable

# Texts that tokenizers take apart differently: scripts, numbers, addresses, spaces, emoji.
_PROBES = (
    "第三条 国家保护公民的合法权益。",
    "檢索增強生成（RAG）與文件問答系統",
    "In 2023 the model's accuracy was 97.35%, up from 1,250.",
    "见 https://example.org/a?b=1&c=2 与 config.yaml",
    "👩\u200d👩\u200d👧 龘靐齉\n\n  \t| 项目 | 金额 |",
)


def length_name(function: Callable[[str], int], *, measured: bool = True) -> str:
    """A name that differs between functions that measure differently; "characters" for len.

    Args:
        function: what measures a text.
        measured: with what it gives for some texts, which tells apart the tokenizers behind one name.
    """
    if function is len:
        return "characters"
    name = str(getattr(function, "__qualname__", type(function).__name__))
    if not measured:
        return name
    lengths = repr([int(function(probe)) for probe in _PROBES])
    return f"{name}:{hashlib.sha256(lengths.encode()).hexdigest()[:8]}"
