"""Summaries of documents of any length, cited, with the pages that they rest on."""

from chinese_llm_rag.chains.summarize.cache import FileCache, MemoryCache, SummaryCache
from chinese_llm_rag.chains.summarize.chain import build_summary_chain
from chinese_llm_rag.chains.summarize.prompts import SummaryForm, Wanted
from chinese_llm_rag.chains.summarize.result import Coverage, Summary
from chinese_llm_rag.chains.summarize.steps import ModelStrategy

__all__ = [
    "Coverage",
    "FileCache",
    "MemoryCache",
    "ModelStrategy",
    "Summary",
    "SummaryCache",
    "SummaryForm",
    "Wanted",
    "build_summary_chain",
]
