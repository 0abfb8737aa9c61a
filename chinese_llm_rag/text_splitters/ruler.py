"""How long a piece of a text is, and whether it fits."""

from collections.abc import Callable


class Ruler:
    """Measures pieces of one text against a size.

    Attributes:
        size: the most that a piece may measure.
    """

    def __init__(self, text: str, size: int, length_function: Callable[[str], int]) -> None:
        self.size = size
        self._text = text
        self._length = length_function
        self.counts_characters = length_function is len

    def length(self, start: int, end: int, header: str = "") -> int:
        """Length of characters start..end, below a header where one is shown with them."""
        if self.counts_characters:
            return end - start + (len(header) + 1 if header else 0)
        piece = self._text[start:end]
        return self._length(f"{header}\n{piece}" if header else piece)

    def fits(self, start: int, end: int, header: str = "") -> bool:
        """Whether characters start..end fit, below a header where one is shown with them."""
        return self.length(start, end, header) <= self.size

    def affordable(self, header: str) -> str:
        """The header of a table where it leaves half of the size to the rows, so that both fit together; else ""."""
        return header if header and 2 * self._length(header) <= self.size else ""
