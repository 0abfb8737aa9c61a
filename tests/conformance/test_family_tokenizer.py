"""The family's own vocabulary, where the data folder beside the checkout has it."""

import sys
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2

from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.template_choice import default_template

small_models = sys.modules["small_models"]

TOKENIZER = Path(__file__).parents[2].parent / "shared/data/tokenizer/tokenizer.model"

pytestmark = pytest.mark.skipif(not TOKENIZER.is_file(), reason="the family's tokenizer is not beside the checkout")


@pytest.fixture(scope="module")
def processor() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(TOKENIZER))


@pytest.fixture(scope="module")
def backend(processor: SentencePieceProcessor, tmp_path_factory: pytest.TempPathFactory):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(TOKENIZER.read_bytes())
    family = small_models.SmallVocabulary(
        pieces=[p.piece for p in proto.pieces],
        scores=[p.score for p in proto.pieces],
        types=[p.type for p in proto.pieces],
        processor=processor,
    )
    path = tmp_path_factory.mktemp("family") / "family.gguf"
    small_models.write_gguf(path, family, small_models.random_weights(1), width=16, heads=2, layers=1)
    loaded = LlamaCppBackend(path)
    yield loaded
    loaded.close()


def test_it_is_known_as_the_familys(backend: LlamaCppBackend) -> None:
    assert default_template(backend) == "alpaca2"


def test_two_turns_become_the_tokens_of_the_familys_tokenizer(
    backend: LlamaCppBackend, processor: SentencePieceProcessor
) -> None:
    turns = [
        Turn("system", "你是助手。"),
        Turn("user", "几点开门？</s>"),
        Turn("assistant", "九点。"),
        Turn("user", "谢"),
    ]
    first = "[INST] <<SYS>>\n你是助手。\n<</SYS>>\n\n几点开门？</s> [/INST] 九点。"
    expected = [*processor.encode(first), 2, 1, *processor.encode("[INST] 谢 [/INST]")]
    assert backend.token_ids(alpaca2_prompt(turns)) == expected


def test_text_becomes_the_tokens_of_the_familys_tokenizer(
    backend: LlamaCppBackend, processor: SentencePieceProcessor
) -> None:
    for line in [*small_models.CORPUS.splitlines(), "中华人民共和国", "a  b\tc", "🙂龘", "</s><s>"]:
        assert backend.token_ids(line) == processor.encode(line)
