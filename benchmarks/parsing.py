"""From PDFs to chunks, without embedding and without OCR, against LangChain's usual way.

    python benchmarks/parsing.py --files FOLDER [--rounds 3]

Baseline: what LangChain's PyPDFLoader does (pypdf's text, page by page) and RecursiveCharacterTextSplitter, in one
process. Ours: readers and splitter in this process, and as `ingest` has them, with two worker processes. All read the
PDFs of FOLDER that the baseline can read, in turn; ratios are medians over the rounds. Where FOLDER holds a
manifest.json, the share of its expected strings that each has on the right page stands beside.
"""

import argparse
import json
import logging
import re
import statistics
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pypdf
from langchain_core.documents import Document
from langchain_text_splitters import RecursiveCharacterTextSplitter

from chinese_llm_rag.document_loaders import LoadOptions, load_file
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base.parsing import parse_ahead
from chinese_llm_rag.text_splitters import ChineseTextSplitter

SIZE = 400
OPTIONS = LoadOptions(ocr=False)
Texts = dict[Path, list[str]]  # the text of each page


def langchain_way(paths: list[Path]) -> Texts:
    splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=0)
    texts: Texts = {}
    for path in paths:
        reader = pypdf.PdfReader(path)
        pages = [
            Document(page.extract_text(), metadata={"source": str(path), "page": n})
            for n, page in enumerate(reader.pages)
        ]
        splitter.split_documents(pages)
        texts[path] = [page.page_content for page in pages]
    return texts


def ours_alone(paths: list[Path]) -> Texts:
    splitter = ChineseTextSplitter(SIZE)
    texts: Texts = {}
    for path in paths:
        try:
            pages = load_file(path, options=OPTIONS).pages
        except DocumentError:
            continue  # a scan, which the baseline takes in as nothing
        splitter.split_documents(pages)
        texts[path] = ["\n".join([page.page_content, *page.metadata.get("furniture", ())]) for page in pages]
    return texts


def ours_as_ingest(paths: list[Path]) -> Texts:
    for _ in parse_ahead(paths, ChineseTextSplitter(SIZE), OPTIONS):
        pass
    return {}


def readable(folder: Path) -> list[Path]:
    """The PDFs that pypdf reads without a password and to the end."""
    found = []
    for path in sorted(folder.rglob("*.pdf")):
        try:
            langchain_way([path])
        except Exception:  # noqa: BLE001  (whatever it raises, it cannot be compared)
            continue
        found.append(path)
    return found


def bare(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def found_strings(folder: Path, texts: Texts) -> str:
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return ""
    n_found = n_wanted = 0
    for entry in json.loads(manifest.read_text(encoding="utf-8")):
        pages = texts.get(folder / entry["file"])
        for expected in entry.get("expect") or []:
            if pages is not None and expected["how"] != "ocr":
                n_wanted += 1
                n_found += bare(expected["text"]) in bare("".join(pages[expected["page"] - 1 : expected["page"]]))
    return f"{n_found} of {n_wanted} expected strings"


def timed(way: Callable[[list[Path]], Texts], paths: list[Path]) -> tuple[float, Texts]:
    started = time.perf_counter()
    texts = way(paths)
    return time.perf_counter() - started, texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    paths = readable(options.files)
    with WorkerPool(2) as pool:  # its first start compiles what later ones find compiled
        list(pool.load_all(paths[:2], OPTIONS))
    ways = {"LangChain's way": langchain_way, "ours, one process": ours_alone, "ours, two workers": ours_as_ingest}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    strings: dict[str, str] = {}
    for _ in range(options.rounds):
        for name, way in ways.items():
            took, texts = timed(way, paths)
            seconds[name].append(took)
            strings[name] = found_strings(options.files, texts) if texts else ""
    base = seconds["LangChain's way"]
    targets = {"ours, one process": 1.0, "ours, two workers": 1.5}
    print(f"{len(paths)} PDFs")
    for name, took in seconds.items():
        ratio = statistics.median(theirs / ours for theirs, ours in zip(base, took, strict=True))
        verdict = (
            ""
            if name not in targets
            else f"target {targets[name]}: {'reached' if ratio >= targets[name] else 'MISSED'}"
        )
        print(f"{name:20} {statistics.median(took):7.1f} s   {ratio:5.2f} times as fast   {verdict}   {strings[name]}")


if __name__ == "__main__":
    main()
