"""The tokenizer of a Hugging Face folder: its sentencepiece model where it has one, else its tokenizer.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, Prompt
from chinese_llm_rag.llms.control_tokens import split_controls
from chinese_llm_rag.llms.hf.sentencepiece import SentencePieceTokenizer
from chinese_llm_rag.llms.in_process.token_model import Tokenizer

_TOKENIZERS_RAISES = (Exception,)  # the library has no error class of its own
_SPACE = "\u2581"
_PROTO_FIRST_BYTE = b"\n"  # a sentencepiece model begins with its first piece; other files of that name do not


class PieceTokenizer(Tokenizer, Protocol):
    """A Tokenizer that also knows what tokens stand for."""

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes a token stands for; none for a control token."""
        ...

    def ends(self, token: int) -> bool:
        """Whether the token ends the text."""
        ...

    def text(self, token: int | None) -> str:
        """How a template writes the token; nothing for None."""
        ...


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """What a folder's configuration says about tokens.

    Attributes:
        bos: id of the BOS token, or None.
        eos: id of the token that `</s>` or its like is, or None; what a template calls eos_token.
        ends: all ids that end a text: of the configuration and of generation_config.json.
    """

    bos: int | None = None
    eos: int | None = None
    ends: frozenset[int] = field(default_factory=frozenset)


class FastTokenizer:
    """A tokenizer.json, read by the tokenizers library. Control tokens come out of Control parts only.

    Args:
        path: a tokenizer.json file.
        special: what the configuration says.
        add_bos: whether every prompt begins with BOS; None is what the file's own post-processor does.

    Raises:
        MissingDependencyError: tokenizers is not installed.
        ModelLoadError: the file is damaged, or of a kind whose tokens have no known bytes.
    """

    def __init__(self, path: Path, special: SpecialTokens, *, add_bos: bool | None = None) -> None:
        library = optional_import("tokenizers", extra="hf")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            for token in content.get("added_tokens", ()):
                token["special"] = token["special"] or token["id"] in special.ends
            self._tokenizer: Any = library.Tokenizer.from_str(json.dumps(content))
        except _TOKENIZERS_RAISES as error:
            raise ModelLoadError(
                say(f"{str(path)!r} cannot be read as a tokenizer: {error}", f"无法读取分词器 {str(path)!r}：{error}"),
                hint=say("copy the model's folder again, with all its files", "请重新复制模型文件夹及其全部文件"),
            ) from error
        self._tokenizer.encode_special_tokens = True  # in a text they are text
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = special
        self._byte_of = _byte_alphabet() if _is_byte_level(content) else None
        if self._byte_of is None and not _marks_spaces(content):
            raise ModelLoadError(
                say(
                    f"{str(path)!r}: the tokens are neither byte-level nor sentencepiece's",
                    f"{str(path)!r}：其 token 既不是字节级，也不是 sentencepiece 形式",
                ),
                hint=say("convert the model to GGUF and use from_gguf", "请把模型转换为 GGUF 并使用 from_gguf"),
            )
        self._added: dict[str, int] = {token["content"]: int(token["id"]) for token in content.get("added_tokens", ())}
        self._silent = {int(t["id"]) for t in content.get("added_tokens", ()) if t["special"]}
        self._added_text = {token: text for text, token in self._added.items()}
        begins = self._tokenizer.encode("").ids[:1] == [special.bos] if add_bos is None else add_bos
        self.begin: tuple[int, ...] = (special.bos,) if begins and special.bos is not None else ()

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids without BOS (which a template may have written)."""
        ids: list[int] = []
        for part in split_controls(prompt, () if isinstance(prompt, str) else self._added):
            if isinstance(part, Control):
                ids.append(self._added[part])
            else:
                ids += self._text_ids(part.encode("utf-8", "replace").decode())
        return ids[1:] if ids and ids[0] == self._special.bos else ids

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes a token stands for; none for a control token or one that no text has."""
        if token in self._silent:
            return b""
        if token in self._added_text:
            return self._added_text[token].encode()
        text: str | None = self._tokenizer.id_to_token(token)
        if text is None:
            return b""
        if self._byte_of is not None:
            known = [self._byte_of.get(character) for character in text]
            return text.encode() if None in known else bytes(byte for byte in known if byte is not None)
        if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            return bytes([int(text[1:-1], 16)])
        return text.replace(_SPACE, " ").encode()

    def ends(self, token: int) -> bool:
        """Whether the token ends the text."""
        return token in self._special.ends

    def text(self, token: int | None) -> str:
        """How a template writes the token; nothing for None."""
        return "" if token is None else str(self._added_text.get(token) or self._tokenizer.id_to_token(token) or "")

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._silent.isdisjoint(ids):
            return ids
        # A vocabulary may have a control token's text as an ordinary piece too: no piece may span it then.
        for token in self._silent.intersection(ids):
            place = text.find(self.text(token))
            if place >= 0 and 0 < place + 1 < len(text):
                return [*self._text_ids(text[: place + 1]), *self._text_ids(text[place + 1 :])]
        return [token for token in ids if token not in self._silent]  # what a normalizer made of the text


def load_tokenizer(folder: Path, special: SpecialTokens) -> PieceTokenizer:
    """The tokenizer of a model's folder.

    Raises:
        ModelLoadError: there is none, or it is damaged.
    """
    options = read_json(folder / "tokenizer_config.json")
    add_bos = options.get("add_bos_token")
    path = folder / "tokenizer.model"
    if path.is_file() and _begins_with(path, _PROTO_FIRST_BYTE):
        added, silent = _added_tokens(folder, options)
        return SentencePieceTokenizer(
            path,
            bos=special.bos,
            add_bos=add_bos is not False,
            ends=special.ends,
            added=added,
            special=silent | {text for text, token in added.items() if token in special.ends},
        )
    if (folder / "tokenizer.json").is_file():
        return FastTokenizer(folder / "tokenizer.json", special, add_bos=add_bos)
    raise ModelLoadError(
        say(f"{str(folder)!r} has no tokenizer", f"{str(folder)!r} 中没有分词器"),
        hint=say(
            "copy tokenizer.model (or tokenizer.json) and tokenizer_config.json into it",
            "请把 tokenizer.model（或 tokenizer.json）和 tokenizer_config.json 复制进去",
        ),
    )


def folder_chat_template(folder: Path, tokenizer: PieceTokenizer, special: SpecialTokens) -> ChatTemplateSource | None:
    """The Jinja template of chat_template.jinja or tokenizer_config.json, or None."""
    file = folder / "chat_template.jinja"
    template: object
    if file.is_file():
        template = file.read_text(encoding="utf-8")
    else:
        template = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):  # several by name
        template = {entry.get("name"): entry.get("template") for entry in template}.get("default")
    if not isinstance(template, str):
        return None
    return ChatTemplateSource(template, tokenizer.text(special.bos), tokenizer.text(special.eos))


def special_tokens(folder: Path, config: Mapping[str, Any]) -> SpecialTokens:
    """BOS and ends, from config.json's content and from generation_config.json beside it."""
    generation = read_json(folder / "generation_config.json")
    of_config, of_generation = (_ids(source.get("eos_token_id")) for source in (config, generation))
    bos = _ids(config.get("bos_token_id"))
    return SpecialTokens(
        bos=bos[0] if bos else None,
        eos=next(iter([*of_config, *of_generation]), None),
        ends=frozenset([*of_config, *of_generation]),
    )


def same_tokens(one: PieceTokenizer, other: PieceTokenizer, size: int) -> bool:
    """Whether each of the first `size` ids stands for the same, and ends a text, in both."""
    return all(one.piece(i) == other.piece(i) and one.ends(i) == other.ends(i) for i in range(size))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is no file.

    Raises:
        ModelLoadError: the file is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            say(f"{str(path)!r} cannot be read: {error}", f"无法读取 {str(path)!r}：{error}"),
            hint=say("copy the model's folder again, with all its files", "请重新复制模型文件夹及其全部文件"),
        ) from error
    return content if isinstance(content, dict) else {}


def _ids(value: object) -> list[int]:
    if value is None:
        return []
    return [int(v) for v in value] if isinstance(value, list) else [int(str(value))]


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _added_tokens(folder: Path, options: Mapping[str, Any]) -> tuple[dict[str, int], set[str]]:
    """Tokens beside the sentencepiece vocabulary by their text, and which of them are special.

    Older folders list them in added_tokens.json alone, where all count as special.
    """
    added = {str(text): int(token) for text, token in read_json(folder / "added_tokens.json").items()}
    special = set(added)
    for token, entry in options.get("added_tokens_decoder", {}).items():
        added[entry["content"]] = int(token)
        (special.add if entry.get("special", True) else special.discard)(entry["content"])
    return added, special


def _is_byte_level(content: Mapping[str, Any]) -> bool:
    return _mentions(_parts(content), "ByteLevel")


def _marks_spaces(content: Mapping[str, Any]) -> bool:
    parts = _parts(content)
    return _SPACE in json.dumps(parts, ensure_ascii=False) or _mentions(parts, "Metaspace")


def _parts(content: Mapping[str, Any]) -> list[object]:
    return [content.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")]


def _mentions(part: object, kind: str) -> bool:
    """Whether a part of a tokenizer is of that type or holds one that is."""
    if isinstance(part, dict):
        return part.get("type") == kind or any(_mentions(value, kind) for value in part.values())
    return isinstance(part, list) and any(_mentions(value, kind) for value in part)


def _byte_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level piece stands for (Radford et al. 2019).

    Printable Latin-1 stands for itself; the other bytes got the characters from U+0100 on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + place): byte for place, byte in enumerate(others)}
