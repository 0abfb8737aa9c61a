"""conversation: questions that lean on earlier ones, their sessions, and the chain that answers them."""

from chinese_llm_rag.chains.conversation.chain import build_conversation_chain
from chinese_llm_rag.chains.conversation.export import session_markdown
from chinese_llm_rag.chains.conversation.leaning import Leaning, leaning
from chinese_llm_rag.chains.conversation.reply import Reply
from chinese_llm_rag.chains.conversation.sessions import Session, SessionStore, SessionSummary, SessionTurn
from chinese_llm_rag.chains.conversation.standalone import standalone
from chinese_llm_rag.chains.exchange import Exchange

__all__ = [
    "Exchange",
    "Leaning",
    "Reply",
    "Session",
    "SessionStore",
    "SessionSummary",
    "SessionTurn",
    "build_conversation_chain",
    "leaning",
    "session_markdown",
    "standalone",
]
