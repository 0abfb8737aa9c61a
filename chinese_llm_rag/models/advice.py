"""Which model to choose for what, after the authors' guide and their measurements.

LongBench and win rates are in the README: the chat models lead on question answering, 13B-16K on long
single documents (47.9 against 46.4 for 7B-16K and 44.7 for 7B-64K), 7B-64K on several (28.1).
"""

from dataclasses import dataclass

from chinese_llm_rag.language import say
from chinese_llm_rag.models.family import FamilyModel


@dataclass(frozen=True, slots=True)
class Use:
    """A use, in both languages, and the model for it."""

    english: str
    chinese: str
    model: str
    quantization: str


USES: tuple[Use, ...] = (
    Use("questions about documents, 8 GB of memory", "文档问答，8 GB 内存", "chinese-alpaca-2-7b", "Q4_K_M"),
    Use("questions about documents, 16 GB of memory", "文档问答，16 GB 内存", "chinese-alpaca-2-13b", "Q4_K_M"),
    Use("one long document (up to 16K tokens)", "一篇长文档（至多 16K token）", "chinese-alpaca-2-13b-16k", "Q4_K_M"),
    Use("a long document, less memory", "长文档，内存较少", "chinese-alpaca-2-7b-16k", "Q4_K_M"),
    Use("many documents, or over 16K tokens", "多篇文档，或超过 16K token", "chinese-alpaca-2-7b-64k", "Q4_K_M"),
    Use("questions of law and morals", "涉及法律、道德的问题", "chinese-alpaca-2-7b-rlhf", "Q6_K"),
    Use(
        "drafts for a larger chat model (not alone)",
        "为更大的聊天模型打草稿（不宜单独使用）",
        "chinese-alpaca-2-1.3b",
        "Q8_0",
    ),
    Use("continuing a text", "文本续写", "chinese-llama-2-7b", "Q6_K"),
    Use("training further", "继续训练", "chinese-llama-2-7b", "F16"),
)


def advice(model: FamilyModel) -> str:
    """What this model is for, and what it is not for, in a sentence or two."""
    if model.size == "1.3B":
        text = say(
            "Meant as the draft model of 7B and 13B in speculative decoding; not advised alone by its authors.",
            "用作 7B、13B 投机采样的草稿模型；作者不建议单独使用。",
        )
    elif model.kind == "base":
        text = say(
            "Continues a text. For questions, instructions and chat take the Alpaca-2 model of this size.",
            "用于文本续写。问答、指令和聊天请选择同尺寸的 Alpaca-2。",
        )
    else:
        text = say(
            "Answers questions and follows instructions; needs the Alpaca-2 template, which is set without being told.",
            "用于问答、写作和聊天；需要 Alpaca-2 模板（自动设置）。",
        )
    if model.rope.method != "none":
        text += say(
            " Take it for long texts only; on short ones the standard model is better.",
            "仅推荐用于长文本；短文本请用标准版。",
        )
    if model.name.endswith("-rlhf"):
        text += say(" Tuned further to human preferences.", "经过人类偏好对齐。")
    if model.best_window is not None:
        text += say(
            f" Its authors advise a window of {model.best_window} tokens.",
            f"作者建议上下文窗口取 {model.best_window}。",
        )
    return text
