"""Are the strings that a reader sees on a page found by `clrag search` on that page?

python benchmarks/expected_strings.py --files FOLDER --home HOME [-k 10]

FOLDER holds manifest.json (a list of {"file", "categories", "expect": [{"page", "text", "how"}]}) and the
files. They are ingested into HOME, which takes minutes for large ones and is skipped for those that are
there. A string counts as found when a passage that covers its page holds it, or two neighbouring passages
together do; white space does not count, and both sides are compared after NFKC.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

CATEGORIES = ("plain", "mixed_zh_en", "traditional", "many_pages")


def clrag(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(home)}
    command = [sys.executable, "-m", "chinese_llm_rag", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False).stdout


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def is_found(wanted: str, page: int, file: Path, passages: list[dict[str, Any]]) -> bool:
    here = sorted(
        (p for p in passages if p["file"] == str(file) and p["page_start"] <= page <= p["page_end"]),
        key=lambda p: p["start"],
    )
    texts = [squeezed(p["text"]) for p in here]
    return any(squeezed(wanted) in text for text in [*texts, *map("".join, pairwise(texts))])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    manifest = json.loads((options.files / "manifest.json").read_text(encoding="utf-8"))
    folder = (options.files / "pdf").absolute()
    print(clrag(options.home, "ingest", str(folder)).strip())
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for entry in manifest:
        categories = [c for c in entry["categories"] if c in CATEGORIES]
        if not categories or not entry["file"].startswith("pdf/"):
            continue
        for expected in entry.get("expect", []):
            if expected["how"] != "text":
                continue
            passages = json.loads(clrag(options.home, "search", "--json", "-k", str(options.k), expected["text"]))
            hit = is_found(expected["text"], expected["page"], folder / Path(entry["file"]).name, passages)
            wanted.update(categories)
            found.update(categories if hit else [])
            if not hit:
                print(f"not found: {entry['file']} page {expected['page']}: {expected['text']}")
    for category in CATEGORIES:
        print(f"{category:12} {found[category]} of {wanted[category]}")


if __name__ == "__main__":
    main()
