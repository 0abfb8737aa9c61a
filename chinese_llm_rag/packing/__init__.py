"""pack: passages, best first -> what a model reads of them, within its window.

passages turns documents into passages, joining packs them, ordering says where in the prompt they stand,
oversize cuts those that are larger than the window, planner shares the window out. Knows nothing about models
but a function that counts their tokens.
"""

from chinese_llm_rag.packing.joining import pack
from chinese_llm_rag.packing.ordering import Order, arrange
from chinese_llm_rag.packing.passages import format_context, passages_of, quoted
from chinese_llm_rag.packing.planner import Plan, Window, plan, portions

__all__ = [
    "Order",
    "Plan",
    "Window",
    "arrange",
    "format_context",
    "pack",
    "passages_of",
    "plan",
    "portions",
    "quoted",
]
