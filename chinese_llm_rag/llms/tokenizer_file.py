"""A model's tokenizer without its weights, out of a file or folder: for servers that do not show theirs."""

import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import ChatTemplateSource, Prompt, Vocabulary
from chinese_llm_rag.llms.in_process.token_model import Tokenizer
from chinese_llm_rag.models import FAMILY_ARCHITECTURE


@dataclass(frozen=True, slots=True)
class ModelTokenizer:
    """A Tokenizer, and what its file says about the model.

    Attributes:
        tokenizer: text to tokens.
        vocabulary: architecture and size; "" and 0 where the file does not tell.
        chat_template: the model's own, or None.
    """

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    chat_template: ChatTemplateSource | None = None

    @property
    def begin(self) -> Sequence[int]:
        """What every prompt begins with: the BOS token, or nothing."""
        return self.tokenizer.begin

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids without BOS (which a template may have written)."""
        return self.tokenizer.token_ids(prompt)


def read_tokenizer(path: Path) -> ModelTokenizer:
    """The tokenizer in a GGUF file (of which the weights are not read), a tokenizer.model, or a model's folder.

    Raises:
        MissingDependencyError: what reads that kind of file is not installed.
        ModelLoadError: nothing there, damaged, or another kind of file.
    """
    path = path.expanduser()
    if path.is_dir():
        return _of_folder(path)
    if path.name == "tokenizer.json" and path.is_file():
        return _of_folder(path.parent)
    if path.suffix == ".model" and path.is_file():
        return _of_sentencepiece(path)
    if path.suffix.lower() == ".gguf" and path.is_file():
        return _of_gguf(path)
    found = say("another kind of file", "其他类型的文件") if path.exists() else say("not there", "不存在")
    raise ModelLoadError(
        say(f"cannot read a tokenizer from {str(path)!r}: {found}", f"无法从 {str(path)!r} 读取分词器：{found}"),
        hint=say(
            "give the model's tokenizer.model, its folder with config.json and tokenizer.json, or a GGUF file of it",
            "请给出该模型的 tokenizer.model、含 config.json 与 tokenizer.json 的文件夹，或它的 GGUF 文件",
        ),
    )


def _of_folder(folder: Path) -> ModelTokenizer:
    from chinese_llm_rag.llms.hf.tokenizer import (  # noqa: PLC0415
        folder_chat_template,
        load_tokenizer,
        read_json,
        special_tokens,
    )

    config = read_json(folder / "config.json")
    if not config and (folder / "tokenizer.model").is_file():
        return _of_sentencepiece(folder / "tokenizer.model")
    if not config:
        raise ModelLoadError(
            say(f"{str(folder)!r} has no config.json", f"{str(folder)!r} 中没有 config.json"),
            hint=say(
                "it tells which token begins a prompt: copy the model's beside its tokenizer",
                "它说明提示以哪个 token 开头：请把模型的 config.json 复制到分词器旁",
            ),
        )
    special = special_tokens(folder, config)
    tokenizer = load_tokenizer(folder, special)
    size = config.get("vocab_size")
    vocabulary = Vocabulary(str(config.get("model_type") or ""), size if isinstance(size, int) else 0)
    return ModelTokenizer(tokenizer, vocabulary, folder_chat_template(folder, tokenizer, special))


def _of_sentencepiece(path: Path) -> ModelTokenizer:
    from chinese_llm_rag.llms.hf.sentencepiece import read_sentencepiece  # noqa: PLC0415

    tokenizer = read_sentencepiece(path)
    # Of the families that sentencepiece files come with, one has the vocabulary's size that this is asked for.
    return ModelTokenizer(tokenizer, Vocabulary(FAMILY_ARCHITECTURE, tokenizer.n_pieces))


def _of_gguf(path: Path) -> ModelTokenizer:
    from chinese_llm_rag.llms.llama.log import capture_log, take_errors  # noqa: PLC0415
    from chinese_llm_rag.llms.llama.vocabulary import LlamaVocabulary  # noqa: PLC0415

    api: Any = optional_import("llama_cpp", extra="llamacpp")
    capture_log(api)
    take_errors()
    params = api.llama_model_default_params()
    params.vocab_only = True
    pointer = api.llama_model_load_from_file(os.fsencode(path), params)
    if not pointer:
        reason = take_errors() or say("llama.cpp gives no reason", "llama.cpp 没有说明原因")
        raise ModelLoadError(
            say(f"cannot read the tokenizer of {str(path)!r}: {reason}", f"无法读取 {str(path)!r} 的分词器：{reason}"),
            hint=say("copy the file again", "请重新复制该文件"),
        )
    vocabulary = LlamaVocabulary(api, pointer)
    weakref.finalize(vocabulary, api.llama_model_free, pointer)
    return ModelTokenizer(vocabulary, vocabulary.describe(), vocabulary.chat_template())
