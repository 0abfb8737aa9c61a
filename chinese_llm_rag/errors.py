"""Everything this package raises on purpose.

RagError
├── MissingDependencyError  (also ImportError)   extra
├── ConfigError             (also ValueError)    setting, origin
├── DocumentError                                path, page
├── KnowledgeBaseError                           folder
│   └── KnowledgeBaseBusyError                   another process is writing to it
├── SessionError                                 session
├── ModelLoadError
└── GenerationError
    └── ContextWindowExceededError               prompt_tokens, max_tokens, context_window

A message says what failed, with which value, and what was expected. What to do next is the `hint`,
which also travels as a note of the exception, so a plain traceback shows it.
"""

from pathlib import Path

from chinese_llm_rag.language import say


class RagError(Exception):
    """Base of all errors of this package.

    Attributes:
        hint: the next step for the user, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint is not None:
            self.add_note(f"hint: {hint}")


class MissingDependencyError(RagError, ImportError):
    """An optional package is not installed; `extra` is what to install."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            say(f"the package {package!r} is not installed", f"没有安装软件包 {package!r}"),
            hint=say(
                f"install the extra that brings it: pip install 'chinese-llm-rag[{extra}]'",
                f"安装带有它的可选组件：pip install 'chinese-llm-rag[{extra}]'",
            ),
        )
        self.package = package
        self.extra = extra


class ConfigError(RagError, ValueError):
    """A setting or an argument has a value that cannot work.

    Attributes:
        setting: its name, where there is one.
        origin: where its value came from, for example "environment CHINESE_LLM_RAG_K".
    """

    def __init__(
        self, message: str, *, setting: str | None = None, origin: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.setting = setting
        self.origin = origin


class DocumentError(RagError):
    """A file that cannot be taken in as a document."""

    def __init__(self, message: str, *, path: Path | str, page: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = Path(path)
        self.page = page


class KnowledgeBaseError(RagError):
    """The knowledge base in `folder` cannot do what was asked; it is as it was before."""

    def __init__(self, message: str, *, folder: Path | str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.folder = Path(folder)


class KnowledgeBaseBusyError(KnowledgeBaseError):
    """Another process is writing to the knowledge base."""


class SessionError(RagError):
    """A conversation that cannot be kept or found.

    Attributes:
        session: its name, where the trouble is with one.
    """

    def __init__(self, message: str, *, session: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.session = session


class ModelLoadError(RagError):
    """A model (or its tokenizer or template) could not be loaded."""


class GenerationError(RagError):
    """A runtime failed while it was producing text."""


class ContextWindowExceededError(GenerationError):
    """Prompt and answer together do not fit the window; nothing was generated.

    All three counts are tokens of the model in use.
    """

    def __init__(self, *, prompt_tokens: int, max_tokens: int, context_window: int) -> None:
        super().__init__(
            say(
                f"prompt_tokens={prompt_tokens} and max_tokens={max_tokens} together exceed "
                f"context_window={context_window}",
                f"prompt_tokens={prompt_tokens} 加上 max_tokens={max_tokens} 超过了 context_window={context_window}",
            ),
            hint=say(
                "shorten the question, lower max_tokens, or use a model with a larger window",
                "请缩短问题、减小 max_tokens，或换用上下文窗口更大的模型",
            ),
        )
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.context_window = context_window
