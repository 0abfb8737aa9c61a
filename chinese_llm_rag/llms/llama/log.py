"""Where llama.cpp's own messages go: to logging, never to the terminal.

llama-cpp-python takes warnings for errors (its numbers for the levels are an older llama.cpp's) and prints
them on stderr while a context is made, whatever `verbose` says. The last
errors are kept, because they say why a file could not be loaded, which the exception does not.
"""

import atexit
import logging
from collections import deque
from typing import Any

_logger = logging.getLogger(__name__)
_ERROR_LEVEL = 4  # ggml.h: 1 debug, 2 info, 3 warning, 4 error, 5 goes on with the line before
_recent_errors: deque[str] = deque(maxlen=3)
_callback: Any = None  # llama.cpp keeps a pointer to it


def capture_log(llama_cpp: Any) -> None:  # noqa: ANN401  # the module, imported late
    """Send the messages of this process's llama.cpp to the logger of this module, all at level DEBUG."""
    global _callback  # noqa: PLW0603  # one process has one llama.cpp log
    if _callback is None:
        _callback = llama_cpp.llama_log_callback(_receive)
        # llama-cpp-python opens these at import and leaves a ResourceWarning when the process ends.
        for file in (llama_cpp._utils.outnull_file, llama_cpp._utils.errnull_file):  # noqa: SLF001
            atexit.register(file.close)
    llama_cpp.llama_log_set(_callback, None)


def take_errors() -> str:
    """The last error messages since the previous call, joined."""
    text = "; ".join(_recent_errors)
    _recent_errors.clear()
    return text


def _receive(level: int, text: bytes, _user_data: object) -> None:
    message = text.decode("utf-8", errors="replace").strip()
    if not message:
        return
    if level == _ERROR_LEVEL:
        _recent_errors.append(message)
    _logger.debug("%s", message)
