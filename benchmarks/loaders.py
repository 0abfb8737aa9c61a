"""Which loaders find the strings that a reader sees on a page?

python benchmarks/loaders.py --files FOLDER [--workers 2] [--without unstructured] [--only other/]

FOLDER holds manifest.json (a list of {"file", "categories", "pages", "password", "expect": [{"page", "text",
"how"}]}) and the files. Printed by category: the share of the strings that each loader has on the right page;
then what is not found, what is refused and how long it took. White space does not count, and both sides are
compared after NFKC. Pages count where the format has them (PDF, PPTX, XLSX); elsewhere a string may stand anywhere.
Strings that only a picture shows (how: ocr) count for ours as found when OCR found them, and as told when the
page is named as not readable. A running header counts when it is kept as furniture.

unstructured runs twice: as it is without a network, and with its English language models (NLTK's), which it would
download, replaced by ones that take everything for prose. Nothing here opens a connection.
"""

import argparse
import json
import os
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

os.environ.update(AUTO_DOWNLOAD_NLTK="false", DO_NOT_TRACK="1", SCARF_NO_ANALYTICS="1", UNSTRUCTURED_DISABLE_NOTICE="1")

from chinese_llm_rag.document_loaders import LoadOptions
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import DocumentError

Pages = list[str]
Entry = dict[str, Any]
Loader = Callable[[Path, Entry], Pages]
PAGED = (".pdf", ".pptx", ".xlsx")
MAX_SECONDS = 600.0  # for one file, OCR included


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


class Ours:
    """Our readers in worker processes; all files are begun at once, and told one by one."""

    def __init__(self, entries: list[Entry], folder: Path, workers: int) -> None:
        self.problems: dict[str, tuple[str, ...]] = {}
        passwords = tuple(entry["password"] for entry in entries if entry.get("password"))
        pool = WorkerPool(workers, timeout_s=MAX_SECONDS)
        self._results = pool.load_all([folder / entry["file"] for entry in entries], LoadOptions(passwords=passwords))

    def __call__(self, path: Path, entry: Entry) -> Pages:
        """The pages of the next file, which must be this one."""
        came, loaded = next(self._results)
        assert came == path
        if isinstance(loaded, DocumentError):
            raise loaded
        self.problems[entry["file"]] = loaded.problems
        return ["\n".join([page.page_content, *page.metadata.get("furniture", [])]) for page in loaded.pages]


def pypdf_text(path: Path, entry: Entry) -> Pages:
    import pypdf

    return [page.extract_text() for page in pypdf.PdfReader(path, password=entry.get("password")).pages]


def pdfium_text(path: Path, entry: Entry) -> Pages:
    import pypdfium2

    document = pypdfium2.PdfDocument(path, password=entry.get("password"))
    return [page.get_textpage().get_text_range() for page in document]


def unstructured(path: Path, _: Entry) -> Pages:
    from unstructured.partition.auto import partition

    pages: dict[int, list[str]] = {}
    for element in partition(filename=str(path)):
        pages.setdefault(element.metadata.page_number or 1, []).append(element.text)
    return ["\n".join(pages.get(number, [])) for number in range(1, max(pages, default=0) + 1)]


def without_a_language_model() -> None:
    """Spare unstructured the download of a model that has nothing to say about Chinese."""
    from unstructured.nlp import tokenize

    tokenize._sent_tokenize = lambda text: [text]  # noqa: SLF001  (there is no other way)
    tokenize._word_tokenize = str.split  # noqa: SLF001
    tokenize._pos_tag = lambda words: [(word, "NN") for word in words]  # noqa: SLF001


def block_network() -> None:
    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo"):
            raise OSError("the network is blocked")

    sys.addaudithook(hook)


def is_found(expected: Entry, pages: Pages, *, paged: bool) -> bool:
    wanted = squeezed(expected["text"])
    if not paged:
        return wanted in squeezed("\n".join(pages))
    number = expected["page"]
    return number <= len(pages) and wanted in squeezed(pages[number - 1])


def measure(name: str, load: Loader, entries: list[Entry], folder: Path) -> Iterator[tuple[Entry, Entry, bool]]:
    """Every expected string with whether it was found; prints what was refused and the time."""
    begin = time.perf_counter()
    refused = []
    for entry in entries:
        path = folder / entry["file"]
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                pages = load(path, entry)
        except Exception as error:  # noqa: BLE001  (whatever a loader raises is its answer)
            pages = []
            refused.append(f"  {entry['file']}: {type(error).__name__}: {str(error).splitlines()[0][:110]}")
        for expected in entry.get("expect") or []:
            yield entry, expected, is_found(expected, pages, paged=path.suffix in PAGED)
    print(f"\n{name}: {len(entries)} files in {time.perf_counter() - begin:.1f} s, {len(refused)} refused", flush=True)
    print("\n".join(refused))


def is_told(problems: tuple[str, ...], expected: Entry) -> bool:
    """Whether a sentence about the file names the page of a string that only a picture shows."""
    numbers = [(int(a), int(b or a)) for problem in problems for a, b in re.findall(r"\b(\d+)(?:-(\d+))?\b", problem)]
    return expected["how"] == "ocr" and any(first <= expected["page"] <= last for first, last in numbers)


def keys(entry: Entry, expected: Entry) -> list[str]:
    """The rows of the table that a string counts in."""
    kind = "ocr" if expected["how"] == "ocr" else "text"
    return [f"{category} ({kind})" for category in [*entry["categories"], "ALL"]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without", nargs="*", default=[], help="loaders to leave out")
    parser.add_argument("--only", default="", help="files whose path begins so")
    options = parser.parse_args()
    block_network()
    manifest = json.loads((options.files / "manifest.json").read_text(encoding="utf-8"))
    entries = [entry for entry in manifest if entry["file"].startswith(options.only)]
    load_ours = Ours(entries, options.files, options.workers)
    loaders: dict[str, tuple[Loader, Callable[[str], bool]]] = {
        "ours": (load_ours, lambda _: True),
        "unstructured": (unstructured, lambda file: not file.endswith(".pdf")),
        "unstructured*": (unstructured, lambda file: not file.endswith(".pdf")),
        "pypdf": (pypdf_text, lambda file: file.endswith(".pdf")),
        "PDFium": (pdfium_text, lambda file: file.endswith(".pdf")),
    }
    wanted = Counter(
        key for entry in entries for expected in entry.get("expect") or [] for key in keys(entry, expected)
    )
    found: dict[str, Counter[str]] = {}
    missing: list[str] = []
    for name, (load, takes) in loaders.items():
        if name.rstrip("*") in options.without:
            continue
        if name == "unstructured*":
            without_a_language_model()
        found[name] = Counter()
        for entry, expected, hit in measure(name, load, [e for e in entries if takes(e["file"])], options.files):
            if hit:
                found[name].update(keys(entry, expected))
            elif name == "ours" and is_told(load_ours.problems.get(entry["file"], ()), expected):
                found.setdefault("told", Counter()).update(keys(entry, expected))
            elif name == "ours":
                missing.append(f"  {entry['file']} page {expected['page']} ({expected['how']}): {expected['text']}")
    print("\nnot found by ours:", *missing, sep="\n")
    print(f"\n{'category':28}{'strings':>8}" + "".join(f"{name:>15}" for name in found))
    for key in sorted(wanted, key=lambda key: (key.startswith("ALL"), key)):
        print(f"{key:28}{wanted[key]:>8}" + "".join(f"{found[name][key] / wanted[key]:>15.0%}" for name in found))


if __name__ == "__main__":
    main()
