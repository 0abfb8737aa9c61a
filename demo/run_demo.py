"""The demo: build two Chinese PDFs, ingest them, ask three questions. The last one has no answer in them.

    python demo/run_demo.py FOLDER

Everything is written to FOLDER. The answers are what the packaged small base model gives.
"""

import os
import subprocess
import sys
from pathlib import Path

from build_documents import build_documents

QUESTIONS = (
    "编译一次大约需要多少秒？",
    "从冬至开始数九，共多少天？",
    "客服电话是多少？",
)


def run(arguments: list[str], home: Path) -> None:
    """Show a command as a user would type it, and run it."""
    print(f"\n$ clrag {' '.join(arguments)}", flush=True)
    environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "chinese_llm_rag", *arguments], env=environment, check=True)


def main(folder: Path) -> None:
    """Build, ingest, ask."""
    print("Building the two documents ...", flush=True)
    documents = build_documents(folder / "documents")
    home = folder.absolute() / "home"
    run(["ingest", *(str(document) for document in documents)], home)
    run(["list"], home)
    for question in QUESTIONS:
        run(["ask", question], home)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo"))
