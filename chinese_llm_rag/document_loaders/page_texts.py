"""What every reader of a format returns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageTexts:
    """The text of each page in order, and what the user must know about what is missing.

    `problems` are sentences for the user; a file with problems still goes in.
    """

    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()
