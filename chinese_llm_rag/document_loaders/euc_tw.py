"""Whether bytes are EUC-TW: its first plane, decoded far enough to tell. Pure.

Python has no codec for it. The first plane of CNS 11643 holds the same characters as Big5's first level, in
the same order but for a few that are out of place.
"""

import re

# (first and last code of Big5, first code of CNS 11643 plane 1)
_RUNS = (
    (0xA440, 0xACFD, 0x4421), (0xACFE, 0xACFE, 0x5753), (0xAD40, 0xAFCF, 0x5323), (0xAFD0, 0xBBC7, 0x5754),
    (0xBBC8, 0xBE51, 0x6B51), (0xBE52, 0xBE52, 0x6B50), (0xBE53, 0xC1AA, 0x6F5C), (0xC1AB, 0xC2CA, 0x7536),
    (0xC2CB, 0xC2CB, 0x7535), (0xC2CC, 0xC360, 0x7737), (0xC361, 0xC3B8, 0x782E), (0xC3B9, 0xC3B9, 0x7865),
    (0xC3BA, 0xC3BA, 0x7864), (0xC3BB, 0xC455, 0x7866), (0xC456, 0xC456, 0x782D), (0xC457, 0xC67E, 0x7962),
)  # fmt: skip
_CHARACTER = re.compile(rb"\x8e[\xa1-\xb0][\xa1-\xfe]{2}|[\xa1-\xfe]{2}|[\x00-\x7f]", re.DOTALL)
_SYMBOL_ROWS = 0xC3  # below: punctuation and signs, which tell nothing


def _big5_codes(first: int, last: int) -> list[bytes]:
    trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    codes = [(lead << 8) | trail for lead in range(first >> 8, (last >> 8) + 1) for trail in trails]
    return [code.to_bytes(2) for code in codes if first <= code <= last]


def _plane_1() -> dict[bytes, str]:
    table: dict[bytes, str] = {}
    for first, last, begin in _RUNS:
        index = (begin // 256 - 0x21) * 94 + begin % 256 - 0x21
        for code in _big5_codes(first, last):
            table[bytes((index // 94 + 0xA1, index % 94 + 0xA1))] = code.decode("big5")
            index += 1
    return table


def decode_euc_tw(data: bytes) -> str | None:
    """The text with U+FFFD for what lies outside the Han characters of plane 1; None when it cannot be EUC-TW."""
    table = _plane_1()
    text: list[str] = []
    position = 0
    for match in _CHARACTER.finditer(data):
        if match.start() != position:
            return None
        position = match.end()
        code = match[0].removeprefix(b"\x8e\xa1")
        if len(code) == 1:
            text.append(code.decode("ascii"))
        elif len(code) == 2 and code[0] <= _SYMBOL_ROWS:
            text.append("　")
        else:
            text.append(table.get(code, "\ufffd"))
    return "".join(text) if position == len(data) else None
