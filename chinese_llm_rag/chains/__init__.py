"""chains: question answering as a plain Runnable over LangChain's interfaces."""

from chinese_llm_rag.chains.qa import build_qa_chain

__all__ = ["build_qa_chain"]
