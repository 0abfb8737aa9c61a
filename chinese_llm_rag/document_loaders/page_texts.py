"""What every reader of a format returns."""

from dataclasses import dataclass

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
