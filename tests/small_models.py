"""Small Alpaca-2-like models, made by the tests: a sentencepiece vocabulary and seeded weights.

Two kinds: random weights, which say anything, and weights that follow a script: each token leads to one
other, so that a real runtime says what a test wants to see. Each can be written as a GGUF file and as a Hugging
Face folder, and is the same model in both.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import sentencepiece
from safetensors.numpy import save_file
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


@dataclass(frozen=True)
class SmallRope:
    """RoPE as a model's file states it. `original` is the window before the extension."""

    kind: str = "none"
    factor: float = 1.0
    original: int = 4096
    theta: float = 10_000.0


PLAIN_ROPE = SmallRope()


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
    rope: SmallRope = PLAIN_ROPE,
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
    if rope.theta != PLAIN_ROPE.theta:
        writer.add_rope_freq_base(rope.theta)
    if rope.kind != "none":
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope.kind))
        writer.add_rope_scaling_factor(rope.factor)
        writer.add_rope_scaling_orig_ctx_len(rope.original)

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


def write_folder(
    folder: Path,
    vocabulary: SmallVocabulary,
    weights: Weights,
    *,
    context_length: int = 1024,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    eos: int = EOS,
    vocabulary_size: int | None = None,
    chat_template: str | None = None,
    rope: SmallRope = PLAIN_ROPE,
    config: dict[str, Any] | None = None,
) -> Path:
    """The model that write_gguf makes of the same arguments, as the family's authors publish theirs.

    The configuration is an old one (`rope_scaling` with `type`, `torch_dtype`); `config` adds to it.
    """
    folder.mkdir(parents=True)
    size = max(len(vocabulary.pieces), vocabulary_size or 0)
    save_file(folder_tensors(weights, size, width, layers, heads), folder / "model.safetensors", {"format": "pt"})
    (folder / "tokenizer.model").write_bytes(vocabulary.processor.serialized_model_proto())
    template = {} if chat_template is None else {"chat_template": chat_template}
    tokens = {"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>"}
    options = {**tokens, "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer", **template}
    (folder / "tokenizer_config.json").write_text(json.dumps(options), encoding="utf-8")
    scaling: dict[str, Any] | None = None
    if rope.kind != "none":
        scaling = {"type": rope.kind, "factor": rope.factor, "original_max_position_embeddings": rope.original}
    content = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": context_length,
        "rms_norm_eps": 1e-5,
        "rope_theta": rope.theta,
        "rope_scaling": scaling,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "bos_token_id": BOS,
        "eos_token_id": eos,
        **(config or {}),
    }
    (folder / "config.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    return folder


def folder_tensors(weights: Weights, size: int, width: int, layers: int, heads: int) -> dict[str, np.ndarray]:
    """The tensors of write_gguf under their Hugging Face names; q and k with the two halves of a head apart."""
    ones = np.ones(width, dtype=np.float32)
    tensors = {
        "model.embed_tokens.weight": weights("token_embd.weight", (size, width)),
        "model.norm.weight": ones,
        "lm_head.weight": weights("output.weight", (size, width)),
    }
    shapes = {
        "attn_q": ("self_attn.q_proj", (width, width)),
        "attn_k": ("self_attn.k_proj", (width, width)),
        "attn_v": ("self_attn.v_proj", (width, width)),
        "attn_output": ("self_attn.o_proj", (width, width)),
        "ffn_gate": ("mlp.gate_proj", (2 * width, width)),
        "ffn_up": ("mlp.up_proj", (2 * width, width)),
        "ffn_down": ("mlp.down_proj", (width, 2 * width)),
    }
    for layer in range(layers):
        block = f"model.layers.{layer}"
        tensors[f"{block}.input_layernorm.weight"] = tensors[f"{block}.post_attention_layernorm.weight"] = ones
        for ggml_name, (name, shape) in shapes.items():
            tensor = weights(f"blk.{layer}.{ggml_name}.weight", shape)
            if ggml_name in ("attn_q", "attn_k"):
                pairs = tensor.reshape(heads, width // heads // 2, 2, width)
                tensor = np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(width, width))
            tensors[f"{block}.{name}.weight"] = tensor
    return {name: tensor.copy() for name, tensor in tensors.items()}
