"""Cross-encoders of both runtimes, over the same small random weights that the test makes."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from langchain_core.documents import Document

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.retrievers.cross_encoder import SentenceTransformerScorer
from chinese_llm_rag.retrievers.llamacpp_reranker import LlamaCppScorer
from chinese_llm_rag.retrievers.rerank import CrossEncoderReranker, PairScorer

CHARACTERS = "的一是不了人我在有他这中大来上个国和说们到为子问段落苹果香蕉葡萄红青"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PASSAGES = ["苹果是红的", "香蕉", "我们在中国说葡萄和苹果", "不", "大" * 90, "他们来到这个国子"]
QUERY = "苹果红不红"
# llama.cpp computes some steps in half precision; the scores below spread over twenty times that.
TOLERANCE = {"sentence-transformers": 1e-4, "llama.cpp": 5e-3}
WIDTH, LAYERS, HEADS, POSITIONS = 32, 2, 2, 128


def make_model(folder: Path, *, n_labels: int = 1) -> Path:
    """A BERT cross-encoder over single characters, in transformers form."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    pieces = [*SPECIAL, *dict.fromkeys(CHARACTERS)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=POSITIONS).save_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        initializer_range=0.3,  # wide, so that passages differ
        num_labels=n_labels,
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():  # llama.cpp gives all tokens the first type, as BGE's only one
        types = model.bert.embeddings.token_type_embeddings.weight
        types[1] = types[0]
    model.save_pretrained(folder)
    return folder


def write_gguf(folder: Path, path: Path, *, pooling: gguf.PoolingType = gguf.PoolingType.RANK) -> Path:
    """The same model as a GGUF file."""
    from safetensors.torch import load_file

    weights = {name: tensor.numpy() for name, tensor in load_file(folder / "model.safetensors").items()}
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_block_count(LAYERS)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_tokenizer_model("bert")
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    control = len(SPECIAL)
    writer.add_token_list([p if i < control else f"\u2581{p}" for i, p in enumerate(pieces)])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if i < control else gguf.TokenType.NORMAL for i in range(len(pieces))]
    )
    writer.add_token_type_count(2)
    for name, piece in {"pad": "[PAD]", "unk": "[UNK]", "bos": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}.items():
        getattr(writer, f"add_{name}_token_id")(SPECIAL.index(piece))
    for name, values in weights.items():
        writer.add_tensor(_gguf_name(name), np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_name(name: str) -> str:
    kind = name.rsplit(".", 1)[1]
    fixed = {
        "bert.embeddings.word_embeddings.weight": "token_embd.weight",
        "bert.embeddings.position_embeddings.weight": "position_embd.weight",
        "bert.embeddings.token_type_embeddings.weight": "token_types.weight",
        f"bert.embeddings.LayerNorm.{kind}": f"token_embd_norm.{kind}",
        f"bert.pooler.dense.{kind}": f"cls.{kind}",
        f"classifier.{kind}": f"cls.output.{kind}",
    }
    if name in fixed:
        return fixed[name]
    layer, part = name.removeprefix("bert.encoder.layer.").split(".", 1)
    inner = {
        "attention.self.query": "attn_q",
        "attention.self.key": "attn_k",
        "attention.self.value": "attn_v",
        "attention.output.dense": "attn_output",
        "attention.output.LayerNorm": "attn_output_norm",
        "intermediate.dense": "ffn_up",
        "output.dense": "ffn_down",
        "output.LayerNorm": "layer_output_norm",
    }[part.rsplit(".", 1)[0]]
    return f"blk.{layer}.{inner}.{kind}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "重排")


@pytest.fixture(scope="module")
def gguf_file(folder: Path) -> Path:
    return write_gguf(folder, folder.with_name("重排.gguf"))


@pytest.fixture(scope="module")
def scorers(folder: Path, gguf_file: Path) -> dict[str, PairScorer]:
    return {"sentence-transformers": SentenceTransformerScorer(folder), "llama.cpp": LlamaCppScorer(gguf_file)}


def logits(folder: Path, query: str, passages: list[str]) -> list[float]:
    """What transformers itself gives, one pair at a time."""
    from transformers import AutoTokenizer, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        return [
            float(model(**tokenizer(query, passage, return_tensors="pt", truncation=True)).logits[0, 0])
            for passage in passages
        ]


runtimes = pytest.mark.parametrize("runtime", ["sentence-transformers", "llama.cpp"])


@runtimes
def test_scores_are_the_logits_that_transformers_gives(scorers, folder, runtime):
    expected = logits(folder, QUERY, PASSAGES)
    assert np.ptp(expected) > 0.1  # the passages do differ
    assert scorers[runtime].score(QUERY, PASSAGES) == pytest.approx(expected, abs=TOLERANCE[runtime])


@runtimes
def test_a_score_does_not_depend_on_what_else_is_in_the_call(scorers, runtime):
    together = scorers[runtime].score(QUERY, PASSAGES * 5)
    alone = [scorers[runtime].score(QUERY, [passage])[0] for passage in PASSAGES]
    assert together == pytest.approx(alone * 5, abs=TOLERANCE[runtime])


@runtimes
def test_nothing_to_score_gives_nothing(scorers, runtime):
    assert scorers[runtime].score(QUERY, []) == []


@runtimes
@pytest.mark.parametrize("text", ["", "\0", "\ud800", "[SEP]苹果[CLS]", "大" * 5000, "😀"])
def test_any_text_is_scored(scorers, runtime, text):
    scorer = scorers[runtime]
    assert np.isfinite([*scorer.score(text, ["苹果"]), *scorer.score("苹果", [text])]).all()


@runtimes
def test_a_control_token_written_in_a_document_is_text(scorers, runtime):
    written, spelled = scorers[runtime].score(QUERY, ["苹果[SEP]香蕉", "苹果[SEX]香蕉"])  # neither has such a word
    assert written == pytest.approx(spelled, abs=TOLERANCE[runtime])


@runtimes
def test_the_reranker_puts_the_best_passage_first(scorers, folder, runtime):
    documents = [Document(passage, metadata={"chunk_id": str(i)}) for i, passage in enumerate(PASSAGES)]
    reranked = CrossEncoderReranker(scorer=scorers[runtime], batch_size=2).compress_documents(documents, QUERY)
    expected = logits(folder, QUERY, PASSAGES)
    assert [int(d.id) for d in reranked] == sorted(range(len(PASSAGES)), key=lambda i: -expected[i])


def test_a_classifier_is_no_reranker(tmp_path):
    folder = make_model(tmp_path / "three", n_labels=3)
    with pytest.raises(ModelLoadError, match="3 values"):
        SentenceTransformerScorer(folder)


def test_an_embedding_model_is_no_reranker(folder, tmp_path):
    path = write_gguf(folder, tmp_path / "mean.gguf", pooling=gguf.PoolingType.MEAN)
    with pytest.raises(ModelLoadError, match="no reranker"):
        LlamaCppScorer(path)


@pytest.mark.parametrize("content", [None, b"", b"GGUF" + b"\0" * 40, b"not a model at all"])
def test_a_missing_or_damaged_file_is_a_clear_error(tmp_path, content, capfd):
    path = tmp_path / "x.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"x\.gguf"):
        LlamaCppScorer(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(ModelLoadError, match="nowhere"):
        SentenceTransformerScorer(tmp_path / "nowhere")


@pytest.mark.parametrize("max_tokens", [1, 129])
def test_a_length_that_cannot_work_is_refused(gguf_file, max_tokens):
    with pytest.raises(ConfigError, match=f"max_tokens={max_tokens}"):
        LlamaCppScorer(gguf_file, max_tokens=max_tokens)
