"""conversation: questions that lean on earlier ones, their sessions, and the chain that answers them."""

from chinese_llm_rag.chains.conversation.exchange import Exchange
from chinese_llm_rag.chains.conversation.leaning import Leaning, leaning
from chinese_llm_rag.chains.conversation.standalone import standalone

__all__ = ["Exchange", "Leaning", "leaning", "standalone"]
