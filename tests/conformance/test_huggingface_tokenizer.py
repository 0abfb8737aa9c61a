"""Token ids of Hugging Face folders: sentencepiece's where they bring its model, else those of their tokenizer.json."""

import json
import sys
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.backend import Control
from chinese_llm_rag.llms.hf.tokenizer import (
    FastTokenizer,
    SpecialTokens,
    folder_chat_template,
    load_tokenizer,
    same_tokens,
    special_tokens,
)

small_models = sys.modules["small_models"]
LLAMA = SpecialTokens(bos=1, eos=2, ends=frozenset({2}))


@pytest.fixture(scope="module")
def byte_level_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE as Qwen's and Llama 3's are, with two special tokens and one that is not."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(small_models.CORPUS.splitlines(), trainer)
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>"])
    path = tmp_path_factory.mktemp("fast") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def fast(byte_level_file: Path) -> FastTokenizer:
    return FastTokenizer(byte_level_file, SpecialTokens(eos=601, ends=frozenset({601})))


class TestByteLevel:
    @given(st.text(st.characters(codec="utf-8"), max_size=30))
    def test_the_bytes_of_its_tokens_join_to_the_text(self, fast: FastTokenizer, text: str) -> None:
        assert b"".join(fast.piece(token) for token in fast.token_ids(text)) == text.encode()

    def test_ids_are_those_of_the_library(self, fast: FastTokenizer, byte_level_file: Path) -> None:
        library = tokenizers.Tokenizer.from_file(str(byte_level_file))
        for text in (*small_models.CORPUS.splitlines(), "</s>", " a  b", "\t\n\r", "🙂龘", "e\u0301"):
            assert fast.token_ids(text) == library.encode(text, add_special_tokens=False).ids

    def test_special_tokens_come_from_control_parts_only(self, fast: FastTokenizer) -> None:
        start, end = fast.token_ids([Control("<|im_start|><|im_end|>")])
        text = fast.token_ids("<|im_start|>甲<|im_end|>")
        assert {start, end}.isdisjoint(text)
        assert b"".join(map(fast.piece, text)) == "<|im_start|>甲<|im_end|>".encode()
        assert fast.piece(start) == fast.piece(end) == b""
        assert (fast.ends(start), fast.ends(end)) == (False, True)

    def test_an_added_token_that_is_not_special_is_text_and_shown(self, fast: FastTokenizer) -> None:
        [think] = fast.token_ids("<think>")
        assert fast.piece(think) == b"<think>"

    def test_a_token_that_ends_the_text_is_special_whatever_its_flag(self, byte_level_file: Path) -> None:
        think = tokenizers.Tokenizer.from_file(str(byte_level_file)).token_to_id("<think>")
        fast = FastTokenizer(byte_level_file, SpecialTokens(ends=frozenset({think})))
        assert think not in fast.token_ids("<think>")
        assert fast.token_ids([Control("<think>")]) == [think]
        assert fast.piece(think) == b""

    def test_no_bos_unless_the_file_or_the_folder_has_one(self, fast: FastTokenizer, byte_level_file: Path) -> None:
        assert fast.begin == ()
        special = SpecialTokens(bos=600, ends=frozenset({601}))
        assert FastTokenizer(byte_level_file, special).begin == ()
        assert FastTokenizer(byte_level_file, special, add_bos=True).begin == (600,)
        content = json.loads(byte_level_file.read_text())
        content["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [600], "tokens": ["<|im_start|>"]}},
        }
        with_bos = byte_level_file.with_name("with_bos.json")
        with_bos.write_text(json.dumps(content))
        assert FastTokenizer(with_bos, special).begin == (600,)

    def test_ids_beyond_the_vocabulary_stand_for_nothing(self, fast: FastTokenizer) -> None:
        assert fast.piece(5000) == b""

    def test_a_control_token_that_is_also_an_ordinary_piece_is_still_no_text(self, byte_level_file: Path) -> None:
        content = json.loads(byte_level_file.read_text())
        piece = next(t for t in content["model"]["vocab"] if len(t) > 2 and t.isascii() and t.isalpha())
        token = content["model"]["vocab"][piece]
        content["added_tokens"] = [{**content["added_tokens"][0], "id": token, "content": piece}]
        path = byte_level_file.with_name("overlapping.json")
        path.write_text(json.dumps(content))
        fast = FastTokenizer(path, SpecialTokens())
        ids = fast.token_ids(f"{piece} {piece}")
        assert token not in ids
        assert b"".join(map(fast.piece, ids)) == f"{piece} {piece}".encode()
        assert fast.token_ids([Control(piece)]) == [token]


class TestFolders:
    @pytest.fixture
    def folder(self, vocabulary, tmp_path: Path) -> Path:
        return small_models.write_folder(
            tmp_path / "m",
            vocabulary,
            small_models.random_weights(1),
            width=16,
            heads=2,
            layers=1,
            chat_template="{{ x }}",
        )

    def test_ends_are_those_of_both_configurations(self, folder: Path) -> None:
        (folder / "generation_config.json").write_text('{"eos_token_id": [2, 7]}')
        special = special_tokens(folder, {"bos_token_id": 1, "eos_token_id": 2})
        assert special == SpecialTokens(bos=1, eos=2, ends=frozenset({2, 7}))

    def test_the_template_comes_with_its_tokens_and_its_own_file_goes_first(self, folder: Path) -> None:
        tokenizer = load_tokenizer(folder, LLAMA)
        source = folder_chat_template(folder, tokenizer, LLAMA)
        assert source is not None
        assert (source.template, source.bos_token, source.eos_token) == ("{{ x }}", "<s>", "</s>")
        (folder / "chat_template.jinja").write_text("{{ y }}")
        own = folder_chat_template(folder, tokenizer, LLAMA)
        assert own is not None
        assert own.template == "{{ y }}"

    def test_of_several_templates_the_default_counts(self, folder: Path) -> None:
        several = [{"name": "tool_use", "template": "{{ t }}"}, {"name": "default", "template": "{{ d }}"}]
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}))
        source = folder_chat_template(folder, load_tokenizer(folder, LLAMA), LLAMA)
        assert source is not None
        assert source.template == "{{ d }}"

    def test_added_tokens_are_found_in_control_parts_and_are_text_elsewhere(self, folder: Path, vocabulary) -> None:
        n = len(vocabulary.pieces)
        added = {
            str(n): {"content": "<|im_end|>", "special": True},
            str(n + 1): {"content": "<tool>", "special": False},
        }
        (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
        tokenizer = load_tokenizer(folder, LLAMA)
        assert tokenizer.token_ids([Control("<|im_end|><tool>")]) == [n, n + 1]
        assert tokenizer.token_ids("<|im_end|>") == vocabulary.processor.encode("<|im_end|>")
        assert (tokenizer.piece(n), tokenizer.piece(n + 1)) == (b"", b"<tool>")

    def test_a_tokenizer_model_of_another_kind_does_not_hide_the_tokenizer_json(
        self, folder: Path, byte_level_file: Path
    ) -> None:
        (folder / "tokenizer.model").write_bytes(b"IQ== 0\nIg== 1\n")  # as tiktoken writes it
        (folder / "tokenizer.json").write_bytes(byte_level_file.read_bytes())
        assert isinstance(load_tokenizer(folder, LLAMA), FastTokenizer)

    def test_a_folder_without_a_tokenizer_is_refused(self, folder: Path) -> None:
        (folder / "tokenizer.model").unlink()
        with pytest.raises(ModelLoadError, match="has no tokenizer") as caught:
            load_tokenizer(folder, LLAMA)
        assert "tokenizer.model" in str(caught.value.hint)

    @pytest.mark.parametrize("content", ["{", "[]", '{"model": {"type": "Nonsense"}}', '{"added_tokens": [{}]}'])
    def test_a_damaged_tokenizer_json_is_a_load_error(self, folder: Path, content: str) -> None:
        (folder / "tokenizer.model").unlink()
        (folder / "tokenizer.json").write_text(content)
        with pytest.raises(ModelLoadError, match=r"tokenizer\.json"):
            load_tokenizer(folder, LLAMA)

    def test_tokens_of_unknown_bytes_are_refused(self, folder: Path) -> None:
        (folder / "tokenizer.model").unlink()
        words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
        words.save(str(folder / "tokenizer.json"))
        with pytest.raises(ModelLoadError, match="neither byte-level nor sentencepiece"):
            load_tokenizer(folder, LLAMA)

    def test_tokenizers_are_the_same_only_if_every_token_is(self, folder: Path, byte_level_file: Path) -> None:
        one, other = load_tokenizer(folder, LLAMA), load_tokenizer(folder, SpecialTokens(1, 2, frozenset({2, 5})))
        assert same_tokens(one, one, 900)
        assert not same_tokens(one, other, 900)
        assert not same_tokens(one, FastTokenizer(byte_level_file, LLAMA), 900)


def test_a_tokenizer_json_of_the_sentencepiece_kind_has_the_bytes_of_its_pieces(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "<0xE4>": 1, "▁你": 2, "好": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    fast = FastTokenizer(tmp_path / "tokenizer.json", SpecialTokens())
    assert [fast.piece(token) for token in (1, 2, 3)] == [b"\xe4", " 你".encode(), "好".encode()]
