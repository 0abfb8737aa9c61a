"""Which passages a search may give: those of certain files, folders, pages, dates and tags."""

import os
import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Self

from chinese_llm_rag.chinese_numbers import find_numbers
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.knowledge_base.records import FileRecord
from chinese_llm_rag.language import say

LAST_PAGE = 2**31
_PAGES = re.compile(r"\s*(?P<first>\d{1,9})?\s*(?P<to>[-–—~～至到]?)\s*(?P<last>\d{1,9})?\s*")


@dataclass(frozen=True, slots=True)
class PassageFilter:
    """Conditions that a passage meets all of; one without conditions lets everything through.

    A name of a file or folder is a path or the end of one ("2023/合同.pdf"); * and ? stand for any
    characters, and case does not count.

    Attributes:
        files: passages of any of these files.
        folders: passages of files below any of these folders.
        pages: first and last page that a passage may lie on, at least in part; pages count from 1.
        since: files that were last changed on this day or later.
        until: files that were last changed on this day or earlier.
        tags: files that have all of these tags.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None
    since: date | None = None
    until: date | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls,
        *,
        files: Iterable[str | Path] = (),
        folders: Iterable[str | Path] = (),
        page: str | None = None,
        since: str | None = None,
        until: str | None = None,
        tags: Iterable[str] = (),
    ) -> Self:
        """The filter of conditions as a user writes them.

        Args:
            files: names.
            folders: names.
            page: "3", "3-10", "3-" or "-10".
            since: a day, month or year: "2023-05-01", "2023-05", "2023", 2023年5月.
            until: the same; the last day of it counts.
            tags: names.

        Raises:
            ConfigError: a condition that cannot be read.
        """
        return cls(
            files=tuple(map(str, files)),
            folders=tuple(map(str, folders)),
            pages=None if page is None else _parse_pages(page),
            since=None if since is None else _parse_day("since", since, last=False),
            until=None if until is None else _parse_day("until", until, last=True),
            tags=tuple(tags),
        )

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self != PassageFilter()

    def takes(self, record: FileRecord) -> bool:
        """Whether passages of a file can meet the conditions; of its pages nothing is asked."""
        if not set(self.tags) <= set(record.tags):
            return False
        if self.since is not None or self.until is not None:
            changed = datetime.fromtimestamp(record.mtime_ns / 1e9).astimezone().date()
            if not (self.since or date.min) <= changed <= (self.until or date.max):
                return False
        if not self.files and not self.folders:
            return True
        path = PurePath(record.path)
        return any(_is_end(name, path) for name in self.files) or any(
            _is_end(name, folder) for name in self.folders for folder in path.parents
        )

    def describe(self) -> str:
        """The conditions in the user's language."""
        first, last = self.pages or (1, LAST_PAGE)
        pages = f"{first}-" if last == LAST_PAGE else f"{first}-{last}"
        parts = [
            *(say(f"file {name!r}", f"文件 {name!r}") for name in self.files),
            *(say(f"folder {name!r}", f"文件夹 {name!r}") for name in self.folders),
            *([say(f"pages {pages}", f"页码 {pages}")] if self.pages else []),
            *([say(f"since {self.since}", f"自 {self.since}")] if self.since else []),
            *([say(f"until {self.until}", f"至 {self.until}")] if self.until else []),
            *(say(f"tag {name!r}", f"标签 {name!r}") for name in self.tags),
        ]
        return say(", ", "、").join(parts)


def _is_end(name: str, path: PurePath) -> bool:
    """Whether a path ends with a name, or is the one that the name means from here."""
    given, parts = _parts(name), _parts(path)
    if PurePath(name).is_absolute() or not given:
        given = _parts(os.path.abspath(name))  # noqa: PTH100  (as ingest names files: links are not resolved)
        return len(given) == len(parts) and _fit(given, parts)
    return _fit(given, parts[-len(given) :]) or _parts(os.path.abspath(name)) == parts  # noqa: PTH100


def _fit(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    return len(patterns) == len(parts) and all(
        part == pattern or fnmatchcase(part, pattern) for part, pattern in zip(parts, patterns, strict=True)
    )


def _parts(path: str | PurePath) -> list[str]:
    """The names in a path in one form: file systems differ in case and in how accents are written."""
    return [unicodedata.normalize("NFC", part).casefold() for part in PurePath(path).parts if part != "."]


def _parse_pages(text: str) -> tuple[int, int]:
    match = _PAGES.fullmatch(text)
    if match is not None and (match["first"] or match["last"]):
        first = int(match["first"] or 1)
        last = int(match["last"]) if match["last"] else LAST_PAGE if match["to"] else first
        if 1 <= first <= last and (match["to"] or not (match["first"] and match["last"])):
            return first, last
    raise ConfigError(
        say(f"page={text!r}, expected pages from 1 on", f"page={text!r}，应为从 1 开始的页码"),
        setting="page",
        hint=say("write 3, 3-10 or 3-", "写作 3、3-10 或 3-"),
    )


def _parse_day(name: str, text: str, *, last: bool) -> date:
    """The first or the last day of a day, month or year."""
    stripped = text.strip()
    found = find_numbers(stripped + "年" if stripped.isdecimal() else stripped)
    if len(found) == 1 and found[0].kind == "date" and not found[0].value.startswith("-"):
        year, month, day = (*map(int, found[0].value.split("-")), 0, 0)[:3]
        if not month:
            month = 12 if last else 1
        return date(year, month, day or (monthrange(year, month)[1] if last else 1))
    raise ConfigError(
        say(f"{name}={text!r}, expected a day, month or year", f"{name}={text!r}，应为日期、月份或年份"),
        setting=name,
        hint=say("write 2023-05-01, 2023-05 or 2023", "写作 2023-05-01、2023-05 或 2023"),
    )
