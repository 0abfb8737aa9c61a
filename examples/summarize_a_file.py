"""A summary of a file of any length, with the place that each sentence rests on, and the share of pages covered.

    python examples/summarize_a_file.py
    python examples/summarize_a_file.py 年报.pdf --chars 300
    python examples/summarize_a_file.py 年报.pdf --model-path chinese-alpaca-2-7b-16k.Q4_K_M.gguf

Without a model, sentences of the file are quoted. With one, the file is read whole where it fits the window, else
in parts whose summaries are kept beside the file, so that a run that was interrupted goes on where it was.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from chinese_llm_rag import ChatChineseAlpaca, ChineseFileLoader, build_summary_chain
from chinese_llm_rag.chains.summarize import FileCache, Wanted

SAMPLE = """# 东城区图书馆二〇二四年工作总结

全年接待读者四十二万人次，比上年增加百分之八。外借图书十九万册，其中少儿读物占百分之三十五。

新设南门自助借还点，全天开放，启用以来借还图书三万一千册。

存在的问题是座位紧张，周末上午十点以后常常满座。下一年将把三楼书库改为阅览室，增加座位一百二十个。
"""


def main() -> None:
    """Load, summarize, show."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--chars", type=int, default=80)
    parser.add_argument("--model-path", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        sample = Path(temporary, "总结.md")
        sample.write_text(SAMPLE, encoding="utf-8")
        pages = ChineseFileLoader(arguments.file or sample).load()
    llm = cache = None
    if arguments.model_path is not None:
        llm = ChatChineseAlpaca.from_gguf(str(arguments.model_path), max_tokens=400)
        cache = FileCache(Path(f"{arguments.file or 'sample'}.summary.sqlite3"))
    summary = build_summary_chain(llm, wanted=Wanted(arguments.chars), cache=cache).invoke(pages)
    print(summary.text)
    for sentence in summary.sentences:
        for citation in sentence.citations:
            print(f"page {citation.page_start}, characters {citation.start}-{citation.end}: {citation.quote!r}")
    print(f"rests on {summary.coverage.share:.0%} of the pages; {summary.strategy}, {summary.n_calls} calls of a model")


if __name__ == "__main__":
    main()
