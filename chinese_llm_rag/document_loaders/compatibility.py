"""Characters that PDFs give in place of the ordinary ones -> the ordinary ones, one for one. Pure.

Typesetting programs write a radical (⻓) or a compatibility ideograph (U+F941) where a reader sees 长 or 論,
and signs of symbol fonts in the private use area. A search for the word would not find it. NFKC knows the
compatibility ideographs and the Kangxi radicals; the tables here are what it does not know. Every replacement
is one character for one.
"""

import re
import unicodedata

# Radicals that are characters of their own (Unicode, EquivalentUnifiedIdeograph); 亻 and its like are left.
_RADICALS = dict(
    zip(
        "⺎⺒⺓⺜⺝⺟⺠⺧⺩⺬⺮⺶⺼⻁⻄⻅⻆⻉⻋⻑⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "兀巳幺日月母民牛王示竹羊肉虎西见角贝车長长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
# The private use area as Symbol and Wingdings (bullets, boxes) and Adobe's fonts (brackets, figures) have it.
_SYMBOLS = {
    **dict(
        zip(
            map(chr, (0xF06C, 0xF06E, 0xF06F, 0xF071, 0xF075, 0xF076, 0xF0A7, 0xF0A8, 0xF0B7, 0xF0D8, 0xF0E0, 0xF0E8,
                      0xF0F0, 0xF0FC, 0xF0FE)),
            "●■□□◆❖▪□•➢→→➔✓☑",
            strict=True,
        )
    ),
    **{chr(0xF730 + digit): str(digit) for digit in range(10)},
    **{chr(0xF761 + letter): chr(ord("A") + letter) for letter in range(26)},
    **dict(zip(map(chr, range(0xF8EB, 0xF8F5)), "⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪", strict=True)),
    **dict(zip(map(chr, range(0xF8F6, 0xF8FF)), "⎞⎟⎠⎤⎥⎦⎫⎬⎭", strict=True)),
}  # fmt: skip
_SYMBOL = re.compile("[\uf000-\uf0ff\uf730-\uf77a\uf8eb-\uf8fe]")
# Letters and digits as wide as Han characters; full-width marks are the ordinary ones of Chinese and stay.
_COMPATIBILITY = re.compile("[\u2e80-\u2fd5\uf900-\ufaff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U0002f800-\U0002fa1f]")


def ordinary(text: str) -> str:
    """The text with ordinary characters, as long as before."""
    return _COMPATIBILITY.sub(lambda m: _RADICALS.get(m.group()) or unicodedata.normalize("NFKC", m.group()), text)


def ordinary_symbols(text: str) -> str:
    """The text with characters in place of codes of well-known symbol fonts, as long as before."""
    return _SYMBOL.sub(lambda m: _SYMBOLS.get(m.group(), m.group()), text)
