"""Settings -> what `clrag eval` compares: knowledge bases, opened or made for the occasion, and their retrievers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from chinese_llm_rag import console
from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.evaluation import Candidate
    from chinese_llm_rag.knowledge_base import KnowledgeBase
    from chinese_llm_rag.settings import Settings

# What an index is built with: a setting with another one of these needs an index of its own.
INDEX_SETTINGS = ("chunk_size", "chunk_overlap", "parent_size", "embeddings", "embedding_model")
_MIN_DEPTH = 20  # passages retrieved, so that several of one document do not crowd out the others


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A setting under test; `names` are what questions call files, by path."""

    name: str
    settings: "Settings"
    base: "KnowledgeBase"
    names: Mapping[str, str]

    def candidate(self, cutoffs: Sequence[int]) -> "Candidate":
        """Its retriever, deep enough for the cutoffs."""
        from chinese_llm_rag.evaluation import Candidate  # noqa: PLC0415
        from chinese_llm_rag.search_choice import build_retriever  # noqa: PLC0415

        depth = max(_MIN_DEPTH, *cutoffs, 2 * self.settings.k)
        return Candidate(build_retriever(self.settings, self.base, depth), self.name, self.settings.k)


@contextmanager
def evaluated(
    a: "Settings", b: "Settings | None", differing: Mapping[str, object], paths: Sequence[Path]
) -> Iterator[list[Evaluated]]:
    """The settings with their bases, open while the block runs; bases that were made for it are gone afterwards.

    Args:
        a: the setting in force.
        b: the one to compare with, if any.
        differing: the settings that b has otherwise, by name.
        paths: documents to evaluate on; empty for the base of the settings.

    Raises:
        ConfigError: the base is empty, or b needs files that are gone.
    """
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with ExitStack() as stack:
        names: dict[str, str] = {}
        if paths:
            files = _files_of(paths, stack, names)
            base = stack.enter_context(_made(a, files))
        else:
            base = stack.enter_context(open_knowledge_base(a, search=True))
            files = [Path(record.path) for record in base.files() if record.status == "indexed"]
        _require_documents(base)
        found = [Evaluated(_name("A", a, differing) if b else say("this setting", "当前设置"), a, base, names)]
        if b is not None:
            if any(key in differing for key in INDEX_SETTINGS):
                base = stack.enter_context(_made(b, _still_there(files)))
            elif "kb" in differing:
                base = stack.enter_context(open_knowledge_base(b, search=True))
            _require_documents(base)
            found.append(Evaluated(_name("B", b, differing), b, base, names))
        yield found


@contextmanager
def _made(settings: "Settings", files: Sequence[Path]) -> "Iterator[KnowledgeBase]":
    """A base of these files for the time of the block."""
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with TemporaryDirectory(prefix="clrag-eval-", ignore_cleanup_errors=True) as home:
        own = settings.model_copy(update={"home": Path(home), "kb": "evaluated"})
        with open_knowledge_base(own, search=True, create=True) as base:
            with console.ingest_progress() as progress:
                report = base.ingest(files, on_progress=progress)
            for file in report.of("failed"):
                console.note(say(f"failed: {file.path}: {file.detail}", f"失败：{file.path}：{file.detail}"))
            yield base


def _files_of(paths: Sequence[Path], stack: ExitStack, names: dict[str, str]) -> list[Path]:
    """The files and folders; a file of documents (JSON, JSON Lines) becomes a folder with a file for each."""
    from chinese_llm_rag.evaluation import load_documents  # noqa: PLC0415

    found = []
    for path in paths:
        if path.suffix.lower() not in (".json", ".jsonl"):
            found.append(path)
            continue
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clrag-eval-", ignore_cleanup_errors=True)))
        documents = load_documents(path)
        if not documents:
            raise DocumentError(say(f"{str(path)!r} holds no documents", f"{str(path)!r} 中没有文档"), path=path)
        for number, (identity, text) in enumerate(documents.items()):
            file = folder / f"{number:06d}.txt"
            file.write_text(text, encoding="utf-8", newline="")
            names[str(file)] = identity
        found.append(folder)
    return found


def _still_there(files: Sequence[Path]) -> Sequence[Path]:
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        raise ConfigError(
            say(
                f"another index needs the files again, and {len(missing)} are gone, for example {missing[0]!r}",
                f"建立另一个索引需要重新读取文件，但有 {len(missing)} 个已不存在，例如 {missing[0]!r}",
            ),
            setting="against",
            hint=say(
                "name the folder they are in now: clrag eval PATH --against ...",
                "请指定它们现在所在的文件夹：clrag eval 路径 --against ...",
            ),
        )
    return files


def _require_documents(base: "KnowledgeBase") -> None:
    if not base.status().n_chunks:
        raise ConfigError(
            say("there are no documents to ask about", "没有可供提问的文档"),
            setting="kb",
            hint=say(
                "take some in first: clrag ingest PATH, or name them: clrag eval PATH",
                "请先导入文档：clrag ingest 路径，或直接指定：clrag eval 路径",
            ),
        )


def _name(letter: str, settings: "Settings", differing: Mapping[str, object]) -> str:
    """A setting by what tells it from the other one."""
    values = {name: getattr(settings, name) for name in differing}
    default = say("default", "默认")
    return f"{letter} ({', '.join(f'{name}={default if v is None else v}' for name, v in values.items())})"


def parse_against(given: Sequence[str]) -> dict[str, Any]:
    """Settings of the form NAME=VALUE by their names; `mode` is the setting `search_mode`."""
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        key = {"mode": "search_mode"}.get(name.strip().replace("-", "_"), name.strip().replace("-", "_"))
        if not equals or not key or key == "home" or key in found:
            raise ConfigError(
                say(
                    f"--against {item!r}, expected SETTING=VALUE, each once",
                    f"--against {item!r}，应为 设置=值，且不重复",
                ),
                setting="against",
                origin="flag --against",
                hint="--against mode=bm25",
            )
        found[key] = value.strip()
    return found
