"""Units -> chunks: a part that fits is never cut, then paragraphs stay whole, then sentences. Pure."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from chinese_llm_rag.text_splitters.outline import Outline
from chinese_llm_rag.text_splitters.ruler import Ruler
from chinese_llm_rag.text_splitters.units import Units

STANDS_ALONE = 4  # a section of a fourth of the size is a chunk; shorter ones are joined
ENDS_ALONE = 16  # the rest of a section that was cut, or what stands before one that will be, needs less


@dataclass(frozen=True, slots=True)
class UnitRange:
    """Units first..stop, stop exclusive."""

    first: int
    stop: int


class Chunker:
    """Joins units to chunks of one size."""

    def __init__(
        self, text: str, outline: Outline, units: Units, ruler: Ruler, overlap: int = 0, *, structured: bool = True
    ) -> None:
        self._text = text
        self._structured = structured
        self._pace = 1.0  # characters a unit of length, in what was measured last
        self._parts = outline.parts
        self._units = units
        self._ruler = ruler
        self._overlap = overlap
        self._beginning: dict[int, list[int]] = {}  # unit -> parts that begin with it, outermost first
        for index in range(len(self._parts)):
            if units.first[index] < units.stop[index]:
                self._beginning.setdefault(units.first[index], []).append(index)
        self._whole: dict[int, bool] = {}

    def ranges(self, walls: Sequence[int] = ()) -> list[UnitRange]:
        """Chunks in order. None goes over a wall, which is the index of a unit."""
        chunks: list[UnitRange] = []
        begin = 0
        for limit in [*walls, len(self._units)]:
            first = stop = begin
            while stop < limit:
                stop = self._stop(first, stop + 1, limit)
                chunks.append(UnitRange(first, stop))
                first = self._next_first(first, stop, limit)
            begin = max(begin, limit)
        return chunks

    def header_at(self, unit: int) -> str:
        """Header of the table that a unit continues; "" where it continues none."""
        table = self._parts[self._units.part[unit]].table
        return table.header if table and self._units.starts[unit] >= table.header_end else ""

    def _fits(self, first: int, stop: int, header: str = "") -> bool:
        start, end = self._units.starts[first], self._units.ends[stop - 1]
        length = self._ruler.length(start, end, header)
        if not header and length > 0:
            self._pace = (end - start) / length
        return length <= self._ruler.size

    def _stop(self, first: int, least: int, limit: int) -> int:
        """Index after the last unit of the chunk that begins with unit `first`; at least `least`."""
        header = self._ruler.affordable(self.header_at(first))
        stop = self._reach(first, least, limit, header)
        if stop < limit:
            stop = self._before_part(first, least, stop) or self._at_paragraph(first, least, stop, header)
        return self._at_section(first, least, stop)

    def _reach(self, first: int, least: int, limit: int, header: str) -> int:
        """Index after the last unit up to which everything fits."""
        if self._ruler.counts_characters and not header:
            most = self._units.starts[first] + self._ruler.size
            return max(least, bisect.bisect_right(self._units.ends, most, least - 1, limit))
        stop = least
        if self._structured:  # one by one from where the end is likely to be, since a model's tokens take time
            likely = self._units.starts[first] + int(self._ruler.size * self._pace)
            stop = max(least, bisect.bisect_right(self._units.ends, likely, least - 1, limit))
            while stop > least and not self._fits(first, stop, header):
                stop -= 1
        while stop < limit and self._fits(first, stop + 1, header):
            stop += 1
        return stop

    def _before_part(self, first: int, least: int, stop: int) -> int:
        """Where the outermost part begins that would be cut at `stop`; 0 where none is worth it."""
        around = []
        index = self._units.part[stop]
        while index > 0 and self._units.first[index] > first:
            if least <= self._units.first[index] < stop:
                around.append(index)
            index = self._parts[index].parent
        for part in reversed(around):
            begin = self._units.first[part]
            share = ENDS_ALONE if self._parts[part].kind == "section" else STANDS_ALONE
            if self._fits_whole(part) or self._is_long(first, begin, share):
                return begin
        return 0

    def _fits_whole(self, part: int) -> bool:
        if part not in self._whole:
            first, stop = self._units.first[part], self._units.stop[part]
            start, end = self._units.starts[first], self._units.ends[stop - 1]
            beginning = min(end, start + int(2 * self._ruler.size * self._pace))
            self._whole[part] = self._ruler.fits(start, beginning) and (
                beginning == end or self._ruler.fits(start, end)
            )
        return self._whole[part]

    def _is_long(self, first: int, stop: int, share: int) -> bool:
        """Whether units first..stop have at least this share of the size."""
        length = self._ruler.length(self._units.starts[first], self._units.ends[stop - 1])
        return length * share >= self._ruler.size

    def _at_paragraph(self, first: int, least: int, stop: int, header: str) -> int:
        """The last paragraph's end in the second half, which is a better place than a fuller chunk; else `stop`.

        The last blank line in the second half is better still.
        """
        units = self._units
        half = (units.starts[first] + units.ends[stop - 1]) / 2
        best = 0
        for candidate in range(stop, least - 1, -1):
            if units.starts[candidate] < half:
                break
            if not units.is_paragraph[candidate] or self._hangs(candidate - 1):
                continue
            if best and not (self._after_blank_line(candidate) and self._leaves_whole(first, candidate, best)):
                continue
            if self._fits(first, candidate, header):
                best = candidate
                if not self._structured or self._after_blank_line(candidate):
                    break
        return best or self._at_sentence(least, stop)

    def _leaves_whole(self, first: int, candidate: int, stop: int) -> bool:
        """Whether a cut at `candidate` goes through no part that units first..stop hold whole."""
        part = self._units.part[candidate]
        while part > 0:
            if first <= self._units.first[part] < candidate and self._units.stop[part] <= stop:
                return False
            part = self._parts[part].parent
        return True

    def _after_blank_line(self, unit: int) -> bool:
        return self._text.count("\n", self._units.ends[unit - 1], self._units.starts[unit]) > 1

    def _at_sentence(self, least: int, stop: int) -> int:
        """`stop`, or before it where that would leave a heading alone or cut a sentence that fits."""
        units = self._units
        begin, end = stop, stop + 1
        while begin >= least and not units.is_sentence[begin]:
            begin -= 1
        if least <= begin < stop:
            while end < len(units) and not units.is_sentence[end]:
                end += 1
            if self._fits(begin, end):
                return begin
        kept = stop
        while kept > least and self._hangs(kept - 1):
            kept -= 1
        return stop if self._hangs(kept - 1) else kept

    def _hangs(self, unit: int) -> bool:
        """Whether a unit is a heading that something stands below."""
        return self._units.is_heading[unit] and self._units.stop[self._units.part[unit]] > unit + 1

    def _at_section(self, first: int, least: int, stop: int) -> int:
        """The first end of a section that is long enough to stand alone; else `stop`."""
        part = self._units.part[first]
        section = self._parts[part].parent if self._parts[part].kind in ("item", "table") else part
        share = ENDS_ALONE if section > 0 and self._units.first[section] < first else STANDS_ALONE
        position = first
        while position < stop:
            inside = [part for part in self._beginning.get(position, ()) if self._units.stop[part] <= stop]
            position = self._units.stop[inside[0]] if inside else position + 1
            if least <= position < stop and self._begins_section(position) and self._is_long(first, position, share):
                return position
        return stop

    def _begins_section(self, unit: int) -> bool:
        return any(self._parts[part].kind == "section" for part in self._beginning.get(unit, ()))

    def _next_first(self, first: int, stop: int, limit: int) -> int:
        """The unit that begins the next chunk: `stop`, or before it by whole sentences of overlap.

        Sentences of one part are not repeated in another one, nor rows.
        """
        units = self._units
        if stop >= limit or self._overlap == 0 or not units.is_sentence[stop]:
            return stop
        within = self._section(stop)
        begin = stop
        for candidate in range(stop - 1, first, -1):
            if self._section(candidate) != within or within < 0:
                break
            overlap = self._ruler.length(units.starts[candidate], units.ends[stop - 1])
            if overlap > self._overlap or not self._fits(candidate, stop + 1):
                break
            if units.is_sentence[candidate]:
                begin = candidate
        return begin

    def _section(self, unit: int) -> int:
        """The section that a unit lies in; -1 for a row of a table."""
        part = self._units.part[unit]
        if self._parts[part].kind == "table":
            return -1
        return self._parts[part].parent if self._parts[part].kind == "item" else part
