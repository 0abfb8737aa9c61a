"""A llama model's metadata in a GGUF file, written through the gguf package's writer."""

from typing import Any

from chinese_llm_rag.llms.hf.config import HfFolder
from chinese_llm_rag.llms.rope import RopeSpec, yarn_attention_factor
from chinese_llm_rag.model_tools.vocabulary import Vocabulary


def add_metadata(writer: Any, source: HfFolder, name: str, file_type: int) -> None:  # noqa: ANN401  (gguf is loaded late)
    """Sizes, name and window; `file_type` is llama.cpp's number for the dtype."""
    shape, config = source.shape, source.config
    writer.add_name(name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(2)
    writer.add_vocab_size(shape.vocabulary_size)
    writer.add_context_length(source.rope.trained_window)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    if shape.head_dim * shape.heads != shape.width:
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)


def add_rope(gguf: Any, writer: Any, rope: RopeSpec) -> None:  # noqa: ANN401
    """How positions become angles, in llama.cpp's words."""
    writer.add_rope_freq_base(rope.base)
    if rope.method == "none":
        return
    kind = gguf.RopeScalingType.LINEAR if rope.method == "linear" else gguf.RopeScalingType.YARN
    writer.add_rope_scaling_type(kind)
    writer.add_rope_scaling_factor(rope.factor)
    writer.add_rope_scaling_orig_ctx_len(rope.original_window)
    if rope.method != "yarn":
        return
    if rope.attention_factor is not None:  # llama.cpp multiplies its own factor by this one
        writer.add_rope_scaling_attn_factors(rope.attention_factor / yarn_attention_factor(rope.factor))
    if (rope.beta_fast, rope.beta_slow) != (32.0, 1.0):  # llama.cpp leaves it to who loads the file to pass these on
        writer.add_rope_scaling_yarn_beta_fast(rope.beta_fast)
        writer.add_rope_scaling_yarn_beta_slow(rope.beta_slow)


def add_vocabulary(writer: Any, vocabulary: Vocabulary) -> None:  # noqa: ANN401
    """Pieces, special tokens and chat template."""
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.text for piece in vocabulary.pieces])
    writer.add_token_scores([piece.score for piece in vocabulary.pieces])
    writer.add_token_types([piece.type for piece in vocabulary.pieces])
    for role, number in vocabulary.special.items():
        getattr(writer, f"add_{role}_token_id")(number)
    writer.add_add_bos_token(vocabulary.adds_bos)
    writer.add_add_eos_token(False)  # noqa: FBT003
    if vocabulary.chat_template is not None:
        writer.add_chat_template(vocabulary.chat_template)
