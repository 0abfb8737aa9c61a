"""The commands. A command parses, calls one function, and prints; nothing heavy loads before it runs.

A module below registers its commands on the app when it is imported, in the order `--help` shows.
"""

from chinese_llm_rag.cli.app import app, main

from chinese_llm_rag.cli import documents, watch, upkeep, bases, answers, chat, sessions  # isort: skip
from chinese_llm_rag.cli import summaries, serve, window  # isort: skip
from chinese_llm_rag.cli import eval, config, models, doctor, model_files  # noqa: A004  # isort: skip

__all__ = [
    "answers",
    "app",
    "bases",
    "chat",
    "config",
    "doctor",
    "documents",
    "eval",
    "main",
    "model_files",
    "models",
    "serve",
    "sessions",
    "summaries",
    "upkeep",
    "watch",
    "window",
]
