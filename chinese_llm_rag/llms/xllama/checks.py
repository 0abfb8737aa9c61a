"""What the server does not say, or does otherwise without saying: looked at before it starts."""

from collections.abc import Mapping
from pathlib import Path

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.header import GgufHeader, read_gguf_header
from chinese_llm_rag.llms.gguf.plan import GgufPlan


def check_window(plan: GgufPlan, header: GgufHeader) -> None:
    """The server cuts a window down to what the file states, and computes positions in one way only."""
    stated = header.number("context_length")
    if stated is not None and plan.context_window > stated:
        raise ConfigError(
            say(
                f"context_window={plan.context_window}: xllamacpp cannot go beyond the {stated} tokens that the file "
                "states",
                f"context_window={plan.context_window}：xllamacpp 无法超出文件所写的 {stated} 个 token",
            ),
            setting="context_window",
            hint=say("use llama-cpp-python (LlamaCppBackend) for that", "请改用 llama-cpp-python（LlamaCppBackend）"),
        )
    if plan.rope.method == "adaptive_ntk":
        raise ConfigError(
            say(
                f"rope {plan.rope}: xllamacpp cannot change it from request to request",
                f"rope {plan.rope}：xllamacpp 无法按请求更改",
            ),
            setting="rope",
            hint=say("use LlamaCppBackend, or NTK with a fixed alpha", "请使用 LlamaCppBackend，或固定 alpha 的 NTK"),
        )


def check_other_files(vocabulary_size: int, adapters: Mapping[str, float], draft_model: Path | str | None) -> None:
    """The server does not say what is wrong with another file than the model's own."""
    for adapter in adapters:
        read_gguf_header(Path(adapter))
    if draft_model is None:
        return
    n_draft = read_gguf_header(Path(draft_model)).vocabulary_size
    if n_draft != vocabulary_size:
        raise ConfigError(
            say(
                f"draft_model={str(draft_model)!r}: its vocabulary has {n_draft} tokens, the model's {vocabulary_size}",
                f"draft_model={str(draft_model)!r}：其词表有 {n_draft} 个 token，主模型有 {vocabulary_size} 个",
            ),
            setting="draft_model",
            hint=say("use a smaller model of the same family", "请使用同一家族中较小的模型"),
        )
