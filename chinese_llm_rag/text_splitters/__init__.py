"""split: documents -> chunks whose spans point into the file's text.

heading_marks, heading_lines, headings find what is a heading; tables, what is a table; outline builds the
tree of parts; units takes sentences out of it, and chunks joins them. splitter is LangChain's side of it.
"""

from chinese_llm_rag.text_splitters.parents import read_parents, text_with_context
from chinese_llm_rag.text_splitters.presets import PRESETS, Preset
from chinese_llm_rag.text_splitters.splitter import ChineseTextSplitter

__all__ = ["PRESETS", "ChineseTextSplitter", "Preset", "read_parents", "text_with_context"]
