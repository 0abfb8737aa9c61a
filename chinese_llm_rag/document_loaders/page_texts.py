"""What every reader of a format returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chinese_llm_rag.schema import Mark, Place


@dataclass(frozen=True, slots=True)
class PageDetails:
    """What is known about a page beside its text.

    Attributes:
        marks: headings and tables of the page's text, in order, not overlapping.
        furniture: running headers, footers and page numbers that are not in the page's text.
        problem: why the page's text is missing or not to be trusted; such a page's text is "".
    """

    place: Place | None = None
    marks: tuple[Mark, ...] = ()
    furniture: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PageTexts:
    """The text of each page in order, and what the user must know about what is missing.

    `problems` are sentences for the user; a file with problems still goes in. `pages` is empty or as
    long as `texts`. `encoding` is that of a text file.
    """

    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()
    pages: tuple[PageDetails, ...] = ()
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a user may say about a file that the file does not say itself.

    Attributes:
        encoding: of a text, as Python names it; found out where it is None.
        passwords: tried in order on an encrypted file.
        ocr: whether pages that are pictures or garbled are recognized where OCR is installed; it takes seconds a page.
    """

    encoding: str | None = None
    passwords: tuple[str, ...] = ()
    ocr: bool = True


NO_OPTIONS = LoadOptions()


class Reader(Protocol):
    """What reads one format; a function `(data, path, options) -> PageTexts`."""

    def __call__(self, data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
        """The texts of a file.

        Raises:
            DocumentError: it cannot be read, or exceeds a bound.
        """
        ...
