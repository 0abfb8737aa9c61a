"""Count which Han characters follow one another: python docs/build_han_pairs.py OUT FILE_OR_FOLDER ...

The loader of PDFs uses the table to tell Chinese from characters that a wrong map made up
(document_loaders/pdf_quality.py). The one in the package was counted over texts without copyright: the laws
of the People's Republic of China, and 《西游记》. Text files in UTF-8; folders are searched for .md and .txt.
"""

import re
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

KEPT = 40_000
_HAN_RUN = re.compile("[\u4e00-\u9fff]{2,}")


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 2 for a wrong call."""
    if len(arguments) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    pairs: Counter[str] = Counter()
    for path in iter_files(arguments[1:]):
        for run in _HAN_RUN.findall(path.read_text(encoding="utf-8")):
            pairs.update(run[i : i + 2] for i in range(len(run) - 1))
    codes = sorted((ord(a) - 0x4E00) << 15 | (ord(b) - 0x4E00) for (a, b), _ in pairs.most_common(KEPT))
    steps = array("I", [code - before for before, code in zip([0, *codes], codes, strict=False)])
    if sys.byteorder == "big":
        steps.byteswap()
    Path(arguments[0]).write_bytes(zlib.compress(steps.tobytes(), 9))
    return 0


def iter_files(names: list[str]) -> Iterator[Path]:
    """The files that are named, and those in the folders that are named."""
    for name in names:
        path = Path(name)
        yield from sorted([*path.rglob("*.md"), *path.rglob("*.txt")]) if path.is_dir() else [path]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
