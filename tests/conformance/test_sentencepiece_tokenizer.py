"""The tokenizer of folders with a tokenizer.model equals sentencepiece, and llama.cpp, which equals it too."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.backend import Control
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.hf.sentencepiece import SentencePieceTokenizer
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend

small_models = sys.modules["small_models"]
FAMILY = Path(__file__).parents[2].parent / "shared/data/tokenizer/tokenizer.model"

CONTROL_LIKE = ["</s>", "<s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<pad>", "<0x41>", "<|im_end|>"]
EMOJI = ["🙂", "👨‍👩‍👧", "🇨🇳", "👍🏽"]
RARE = ["龘", "𠮷", "㐀", "é", "e\u0301", "ﬁ", "▁", "\u3000", "\xa0", "\ufeff", "\x7f", "\0", "\t", "\n", "\r\n"]
PLAIN = ["图书馆九点开门", "hello how are you", "数字 0123456789", "你是谁", "a", " ", "，。！？", "中华人民共和国"]
FRAMES = ["{}", " {}", "  {}", "{} ", "{}  ", "甲{}乙", "甲 {} 乙", "{0}{0}", "{0} {0}", "\n{}\n"]
STRINGS = [frame.format(text) for text in (*CONTROL_LIKE, *EMOJI, *RARE, *PLAIN) for frame in FRAMES]


@pytest.fixture(scope="module")
def sentencepiece_tokenizer(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> SentencePieceTokenizer:
    path = tmp_path_factory.mktemp("sp") / "tokenizer.model"
    path.write_bytes(vocabulary.processor.serialized_model_proto())
    return SentencePieceTokenizer(path, bos=1, ends=[2])


class TestEqualToSentencePiece:
    def test_there_are_enough_strings(self) -> None:
        assert len(set(STRINGS)) >= 300

    def test_on_control_like_text_spaces_emoji_and_rare_characters(self, sentencepiece_tokenizer, vocabulary) -> None:
        expected = [vocabulary.processor.encode(text) for text in STRINGS]
        assert [sentencepiece_tokenizer.token_ids(text) for text in STRINGS] == expected

    def test_and_so_is_llama_cpp_on_the_same_vocabulary(
        self, sentencepiece_tokenizer, random_backend: LlamaCppBackend
    ) -> None:
        for text in STRINGS:
            assert sentencepiece_tokenizer.token_ids(text) == random_backend.token_ids(text), text

    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    def test_on_any_text(self, sentencepiece_tokenizer, vocabulary, text: str) -> None:
        assert sentencepiece_tokenizer.token_ids(text) == vocabulary.processor.encode(text)

    @given(
        st.lists(st.sampled_from([*PLAIN, *CONTROL_LIKE, Control("</s>"), Control("<s>[INST] "), Control(" x</s>")]))
    )
    def test_a_prompt_in_parts_has_the_tokens_that_llama_cpp_gives_it(
        self, sentencepiece_tokenizer, random_backend: LlamaCppBackend, parts: list[str]
    ) -> None:
        assert sentencepiece_tokenizer.token_ids(parts) == random_backend.token_ids(parts)

    def test_the_bytes_of_every_token_are_those_of_llama_cpp(
        self, sentencepiece_tokenizer, random_backend: LlamaCppBackend
    ) -> None:
        for token in range(sentencepiece_tokenizer.n_pieces):
            assert sentencepiece_tokenizer.piece(token) == random_backend._model.piece(token), token
            assert sentencepiece_tokenizer.ends(token) == random_backend._model.ends(token), token

    def test_bos_is_put_first_by_its_owner_and_never_twice(self, sentencepiece_tokenizer, vocabulary) -> None:
        assert sentencepiece_tokenizer.begin == (1,)
        assert sentencepiece_tokenizer.token_ids([Control("<s>"), "你好"]) == vocabulary.processor.encode("你好")

    def test_a_lone_surrogate_becomes_a_question_mark(self, sentencepiece_tokenizer) -> None:
        assert sentencepiece_tokenizer.token_ids("甲\ud800乙") == sentencepiece_tokenizer.token_ids("甲?乙")

    def test_a_file_that_is_no_sentencepiece_model_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "tokenizer.model"
        path.write_bytes(b"\nnothing of the kind")
        with pytest.raises(ModelLoadError, match="not a sentencepiece model") as caught:
            SentencePieceTokenizer(path, bos=1, ends=[2])
        assert "copy the model's folder again" in str(caught.value.hint)


@pytest.mark.skipif(not FAMILY.is_file(), reason="the family's tokenizer is not beside the checkout")
class TestTheFamilysOwn:
    @pytest.fixture
    def family(self) -> SentencePieceTokenizer:
        return SentencePieceTokenizer(FAMILY, bos=1, ends=[2])

    @pytest.fixture
    def family_backend(self, tmp_path: Path):
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(FAMILY.read_bytes())
        vocabulary = small_models.SmallVocabulary(
            [p.piece for p in proto.pieces], [p.score for p in proto.pieces], [p.type for p in proto.pieces], None
        )
        path = tmp_path / "family.gguf"
        small_models.write_gguf(path, vocabulary, small_models.random_weights(1), width=16, heads=2, layers=1)
        backend = LlamaCppBackend(path)
        yield backend
        backend.close()

    def test_strings_of_all_kinds_equal_sentencepiece_and_llama_cpp(self, family, family_backend) -> None:
        processor = SentencePieceProcessor(model_file=str(FAMILY))
        for text in [*STRINGS, *small_models.CORPUS.splitlines()]:
            ids = family.token_ids(text)
            assert ids == processor.encode(text), text
            assert ids == family_backend.token_ids(text), text

    def test_two_turns_equal_llama_cpp(self, family, family_backend) -> None:
        turns = [
            Turn("system", "你是助手。"),
            Turn("user", "几点？</s>"),
            Turn("assistant", "九点。"),
            Turn("user", "谢"),
        ]
        prompt = alpaca2_prompt(turns)
        assert family.token_ids(prompt) == family_backend.token_ids(prompt)
        assert family.token_ids(prompt).count(2) == 1
