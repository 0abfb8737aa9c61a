"""How much a text looks like Chinese: what a guess of its encoding is judged by. Pure."""

import unicodedata
from collections import Counter

# The characters that Chinese prose is mostly made of, in the order of how often they are used, and the forms
# that some of them have in traditional script.
_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点"
    "正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿"
    "原东声提立及比员解水名真论处走义各入几口认条平系气题活更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资"
    "命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规"
    "万取拉格望觉术领共确传师观清今切院让识候带导争运习语言单网页章节图例值项版首"
)
_TRADITIONAL = (
    "這個們來為國說時會對於著過發後裡種經麼學現當沒動還進樣開從實軍無與長機關點業將兩間問並應戰頭體見產話給門兒東聲員論處義幾認條氣題別變總電數報"
    "結務場計資許統區隊決馬書則聽卻達強難權設記類據邊張該規萬覺術領確傳師觀讓識帶導爭運習語單網頁節圖項"
)
_FREQUENT = frozenset(_SIMPLIFIED) | frozenset(_TRADITIONAL)
_PUNCTUATION = frozenset("　，。、；：？！“”‘’（）《》〈〉「」『』【】〔〕…—－～·．％￥")
_FOREIGN = ("HIRAGANA", "KATAKANA", "HANGUL", "CYRILLIC", "GREEK", "BOX", "BOPOMOFO")


def chinese_look(text: str) -> float:
    """From about 1 (Chinese prose) to -3 (rubbish): the mean over the characters that are not ASCII; 0 for none.

    A text read in a wrong encoding has rare characters where Chinese has the same few hundred ones.
    """
    counts = Counter(text)
    total = n = 0.0
    for character, count in counts.items():
        if not character.isascii():
            total += count * _weight(character)
            n += count
        elif character < " " and character not in "\t\n\r\f\x1a":
            total -= 3 * count
            n += count
    return total / n if n else 0.0


def share_of(text: str, *scripts: str) -> float:
    """Which part of the letters that are not ASCII belongs to the scripts, by their Unicode names."""
    letters = Counter(character for character in text if not character.isascii() and character.isalpha())
    wanted = sum(n for character, n in letters.items() if unicodedata.name(character, "").startswith(scripts))
    return wanted / max(letters.total(), 1)


def _weight(character: str) -> float:
    if character in _FREQUENT:
        return 1.0
    if character in _PUNCTUATION:
        return 0.5
    if "\u4e00" <= character <= "\u9fff":
        return 0.3 if _is_taught(character) else -0.5
    category = unicodedata.category(character)
    if category in ("Cc", "Cn", "Co", "Cs"):
        return -3.0
    if "\uff01" <= character <= "\uff5e":  # full-width ASCII
        return 0.3
    return -0.5 if unicodedata.name(character, "").startswith(_FOREIGN) or category[0] == "L" else 0.0


def _is_taught(character: str) -> bool:
    """Whether it is in the first level of GB 2312 (3,755 characters) or of Big5 (5,401)."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        lead = 0
    if 0xB0 <= lead <= 0xD7:
        return True
    try:
        return character.encode("big5") <= b"\xc6\x7e"
    except UnicodeEncodeError:
        return False
