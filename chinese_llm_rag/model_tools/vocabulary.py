"""The vocabulary of a Hugging Face folder as GGUF states it: sentencepiece pieces, and the tokens added to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.stored_weights import read_json
from chinese_llm_rag.model_tools.sentencepiece_model import (
    CONTROL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Piece,
    read_pieces,
)

_ADDED_SCORE = -1000.0  # never made by merging


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces by number, the numbers of the special ones, and the chat template where the tokenizer brings one."""

    pieces: tuple[Piece, ...]
    special: Mapping[str, int]  # bos, eos, unk, pad: those that exist
    chat_template: str | None
    adds_bos: bool


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The vocabulary of a folder, filled up to the `size` that the configuration states.

    Raises:
        ModelLoadError: no tokenizer.model, a damaged one, or more pieces than the model has.
    """
    pieces = read_pieces(folder / "tokenizer.model")
    settings = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    named = {piece.text: number for number, piece in enumerate(pieces)}
    for token, number, is_special in _added(folder, settings):
        if number < len(pieces):
            continue  # told a second time
        if number >= size:
            raise _too_many(folder, number + 1, size)
        while len(pieces) < number:
            pieces.append(_filler(len(pieces)))
        pieces[number:] = [Piece(token, _ADDED_SCORE, CONTROL if is_special else USER_DEFINED)]
        named[token] = number
    if len(pieces) > size:
        raise _too_many(folder, len(pieces), size)
    pieces.extend(_filler(number) for number in range(len(pieces), size))
    template = settings.get("chat_template")
    return Vocabulary(
        tuple(pieces),
        _special(pieces, settings, named),
        template if isinstance(template, str) else None,
        adds_bos=settings.get("add_bos_token") is not False,
    )


def _added(folder: Path, settings: Mapping[str, Any]) -> list[tuple[str, int, bool]]:
    """Token, number and whether it is a control token, of each token that was added, by number."""
    found: dict[int, tuple[str, int, bool]] = {}
    for number, entry in (settings.get("added_tokens_decoder") or {}).items():
        found[int(number)] = (str(entry["content"]), int(number), bool(entry.get("special")))
    if (folder / "added_tokens.json").is_file():
        for token, number in read_json(folder / "added_tokens.json").items():
            found.setdefault(int(number), (token, int(number), True))
    return [found[number] for number in sorted(found)]


def _special(pieces: list[Piece], settings: Mapping[str, Any], named: Mapping[str, int]) -> dict[str, int]:
    special = {}
    for role, usual, kind in (("bos", "<s>", CONTROL), ("eos", "</s>", CONTROL), ("unk", "<unk>", UNKNOWN)):
        stated = _content(settings.get(f"{role}_token")) or usual
        if stated in named and pieces[named[stated]].type in (kind, CONTROL, USER_DEFINED):
            special[role] = named[stated]
    pad = _content(settings.get("pad_token"))
    if pad in named:
        special["pad"] = named[pad]
    return special


def _content(token: object) -> str:
    """A token's text; tokenizer_config.json states it bare or in an object."""
    value = token.get("content") if isinstance(token, Mapping) else token
    return value if isinstance(value, str) else ""


def _filler(number: int) -> Piece:
    """What stands for a row of the embeddings that no piece uses."""
    return Piece(f"[PAD{number}]", _ADDED_SCORE, UNUSED)


def _too_many(folder: Path, found: int, size: int) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"{str(folder)!r}: the tokenizer has {found} pieces, the model {size}",
            f"{str(folder)!r}：分词器有 {found} 个词，模型只有 {size} 个",
        ),
        hint=say("tokenizer and weights belong to different models", "分词器与权重不属于同一模型"),
    )
