"""Small Alpaca-2-like GGUF files, made by the tests: a sentencepiece vocabulary and seeded weights.

Two kinds: random weights, which say anything, and weights that follow a script: each token leads to one
other, so that a real runtime says what a test wants to see.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

UNK, BOS, EOS = 0, 1, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # token types, as GGUF numbers them

CORPUS = """
小城的清晨从卖豆浆的铺子开始。热气一出来，整条街就醒了，骑车的人放慢速度，孩子背着书包往学校走。
图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。
河边的柳树在春天最先变绿，风一吹，水面上全是细碎的影子。钓鱼的人不说话，只看着浮标。
秋天收玉米的时候，院子里堆成一座金色的小山，猫在上面打滚，谁也不去管它。
火车每天经过两次，一次向北，一次向南。站台上的钟比手表慢三分钟，大家都习惯了。
问：今天的会议改到几点？答：改到下午三点，地点不变，请带上上次的记录和新的预算表。
问：这台机器怎么清洗？答：先断电，再取下滤网，用温水冲洗，晾干以后装回去，最后检查指示灯。
The library opens at nine and closes at six. Please return the books before the end of the month.
You are a helpful assistant. [INST] <<SYS>> <</SYS>> [/INST] hello how are you
数字 0123456789，标点：，。！？、；（）《》“”……
"""


@dataclass(frozen=True)
class SmallVocabulary:
    pieces: list[str]
    scores: list[float]
    types: list[int]
    processor: sentencepiece.SentencePieceProcessor = field(compare=False)

    def byte_tokens(self, text: str) -> list[int]:
        """The byte tokens that spell the text."""
        return [self.pieces.index(f"<0x{byte:02X}>") for byte in text.encode()]


def train_vocabulary(size: int = 900) -> SmallVocabulary:
    """A byte-fallback BPE vocabulary over CORPUS; the same on every machine."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.strip().splitlines()),
        model_writer=model,
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        unk_id=UNK,
        bos_id=BOS,
        eos_id=EOS,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return SmallVocabulary(
        pieces=[p.piece for p in proto.pieces],
        scores=[p.score for p in proto.pieces],
        types=[p.type for p in proto.pieces],
        processor=sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()),
    )


Weights = Callable[[str, tuple[int, ...]], np.ndarray]


def random_weights(seed: int) -> Weights:
    """Wide attention projections, so that positions matter; one generator a tensor, so order does not."""

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        generator = np.random.default_rng([seed, *name.encode()])
        scale = 0.18 if "attn" in name else 0.05 if "embd" not in name and name != "output.weight" else 1.0
        return (generator.standard_normal(shape) * scale).astype(np.float32)

    return weights


def scripted_weights(chain: Sequence[int]) -> Weights:
    """The model answers each token of the chain with the next; every other token with the chain's first.

    The layers add nothing, so only the current token counts. Tokens of the chain must be distinct.
    """
    assert len(set(chain)) == len(chain), "a token can lead to one other only"

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        values = np.zeros(shape, dtype=np.float32)
        if name == "token_embd.weight":
            values[:, 0] = 1.0  # dimension 0: any token outside the chain
            for place, token in enumerate(chain[:-1], start=1):
                values[token] = 0.0
                values[token, place] = 1.0
        elif name == "output.weight":
            for place, token in enumerate(chain):
                values[token, place] = 3.0
        return values

    return weights


def write_gguf(
    path: Path,
    vocabulary: SmallVocabulary,
    weights: Weights,
    *,
    context_length: int = 1024,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    eos: int = EOS,
    renamed: dict[int, tuple[str, int]] | None = None,
    vocabulary_size: int | None = None,
    chat_template: str | None = None,
) -> Path:
    """A llama-architecture model in f32.

    `renamed` gives tokens another piece and type; `vocabulary_size` fills the vocabulary up with pieces
    that no text contains.
    """
    pieces, scores, types = list(vocabulary.pieces), list(vocabulary.scores), list(vocabulary.types)
    for token, (piece, kind) in (renamed or {}).items():
        pieces[token], types[token] = piece, kind
    while len(pieces) < (vocabulary_size or 0):
        pieces.append(f"\ue000{len(pieces)}")
        scores.append(-1e6)
        types.append(NORMAL)
    feed_forward = 2 * width
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context_length)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(UNK)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(eos)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, weights(name, shape))

    add("token_embd.weight", len(pieces), width)
    for layer in range(layers):
        block = f"blk.{layer}"
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{norm}.weight", np.ones(width, dtype=np.float32))
        for projection in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}.{projection}.weight", width, width)
        add(f"{block}.ffn_gate.weight", feed_forward, width)
        add(f"{block}.ffn_up.weight", feed_forward, width)
        add(f"{block}.ffn_down.weight", width, feed_forward)
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    add("output.weight", len(pieces), width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
