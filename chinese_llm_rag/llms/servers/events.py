"""Server-sent events out of bytes, as the WHATWG HTML standard (9.2.6) writes them.

Bytes are cut at line ends before they are decoded: a text may hold characters that Python counts as line ends
(U+2028) or arrive in the middle of a character.
"""


class EventParser:
    """Feeds on bytes as they arrive; what it holds back at the end was cut off."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, received: bytes) -> list[str]:
        """The data of the events that are now complete.

        Raises:
            UnicodeDecodeError: a line is not UTF-8.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        events = []
        for line in lines:
            text = line.removesuffix(b"\r").decode()
            if text:
                self._read(text)
            elif self._data:
                events.append("\n".join(self._data))
                self._data = []
        return events

    def _read(self, line: str) -> None:
        name, _, value = line.partition(":")
        # "error" is no field of the standard, but how older llama.cpp servers send one.
        if name in ("data", "error"):
            self._data.append(value.removeprefix(" "))
