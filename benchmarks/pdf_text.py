"""Time and quality of the PDF loader against other extractors.

python benchmarks/pdf_text.py --files FOLDER [FILE ...]

FOLDER holds manifest.json and the files. Without names, some files of few and of many pages are taken. All
extractors run in turns in one process, and the fastest of the rounds counts: read the times as ratios. OCR is
off; the strings that only OCR can see are left out. A string is found when it is on its page, white space
aside and after NFKC.
"""

import argparse
import io
import json
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pypdf
import pypdfium2

from chinese_llm_rag.document_loaders.pdf import read_pdf

CHOSEN = (
    "maint-guide.zh-cn.pdf",
    "CjC_template_tex.pdf",
    "research_report_1f978cd81fb7260c8f7644039ec2c054.pdf",
    "ntu_thesis_rules_zh_tw.pdf",
    "shiji_vertical.pdf",
    "example-single.pdf",
    "scan_with_ocr_layer.pdf",
    "knapsack_lectures.pdf",
)
ROUNDS = 3


def ours(data: bytes, path: Path) -> list[str]:
    read = read_pdf(data, path, recognizer=None)
    return ["\n".join([text, *page.furniture]) for text, page in zip(read.texts, read.pages, strict=True)]


def by_pypdf(data: bytes, _: Path) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def by_pdfium(data: bytes, _: Path) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data)]


EXTRACTORS: dict[str, Callable[[bytes, Path], list[str]]] = {"ours": ours, "pypdf": by_pypdf, "pdfium": by_pdfium}


def squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("names", nargs="*", default=CHOSEN)
    options = parser.parse_args()
    manifest = {Path(e["file"]).name: e for e in json.loads((options.files / "manifest.json").read_text("utf-8"))}
    total = dict.fromkeys(EXTRACTORS, 0.0)
    found = dict.fromkeys(EXTRACTORS, 0)
    n_wanted = 0
    print(f"{'file':28}{'pages':>6}{'ours s':>9}" + "".join(f"{f'{n}/ours':>13}" for n in EXTRACTORS if n != "ours"))
    for name in options.names:
        path = options.files / "pdf" / name
        data = path.read_bytes()
        wanted = [x for x in manifest[name].get("expect", []) if x["how"] != "ocr"]
        n_wanted += len(wanted)
        best = dict.fromkeys(EXTRACTORS, float("inf"))
        texts: dict[str, list[str]] = {}
        for _ in range(ROUNDS):
            for extractor, extract in EXTRACTORS.items():
                started = time.perf_counter()
                texts[extractor] = extract(data, path)
                best[extractor] = min(best[extractor], time.perf_counter() - started)
        for extractor, pages in texts.items():
            total[extractor] += best[extractor]
            found[extractor] += sum(squeezed(x["text"]) in squeezed(pages[x["page"] - 1]) for x in wanted)
        ratios = "".join(f"{best[n] / best['ours']:13.2f}" for n in EXTRACTORS if n != "ours")
        print(f"{name[:27]:28}{len(texts['ours']):6}{best['ours']:9.3f}{ratios}")
    print("all, time as a multiple of ours: " + ", ".join(f"{n} {t / total['ours']:.2f}" for n, t in total.items()))
    print(f"strings found of {n_wanted}: " + ", ".join(f"{n} {count}" for n, count in found.items()))


if __name__ == "__main__":
    main()
