"""A question set made from a knowledge base's own documents, and what figures on it are worth."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.base_texts import drawn_chunks
from chinese_llm_rag.evaluation.cloze import make_cloze_questions
from chinese_llm_rag.evaluation.locate import SourceText
from chinese_llm_rag.evaluation.question_writer import write_questions
from chinese_llm_rag.evaluation.questions import Question, QuestionSet
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from langchain_core.language_models import BaseLanguageModel

    from chinese_llm_rag.knowledge_base import KnowledgeBase

_PASSAGES_A_QUESTION = 4  # a model's replies are often of no use


def make_questions(
    base: "KnowledgeBase",
    documents: Sequence[SourceText],
    n_questions: int,
    *,
    llm: "BaseLanguageModel[Any] | None" = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> QuestionSet:
    """Questions on the documents: written by a model, or by cloze without one.

    Raises:
        ConfigError: no question could be made of these documents.
    """
    if llm is None:
        made = make_cloze_questions(documents, n_questions, seed=seed)
        origin, notes = say("cloze on the documents themselves", "由文档本身生成的填空题"), _cloze_notes()
    else:
        passages = drawn_chunks(base, n_questions * _PASSAGES_A_QUESTION, seed=seed)
        made = write_questions(llm, passages, documents, n_questions, on_progress=on_progress)
        origin, notes = say("written by the language model", "由语言模型编写"), _written_notes()
    if not made:
        n_chars = sum(len(document.text) for document in documents)
        raise ConfigError(
            say(
                f"no question could be made of {len(documents)} documents with {n_chars} characters",
                f"无法从 {len(documents)} 个文档（{n_chars} 个字符）生成问题",
            ),
            setting="questions",
            hint=say(
                "give questions of your own: clrag eval --questions FILE",
                "请提供自己的问题：clrag eval --questions 文件",
            ),
        )
    return QuestionSet(tuple(made), origin, (*notes, *_fewer(made, n_questions)))


def _cloze_notes() -> tuple[str, ...]:
    return (
        say(
            "These questions are sentences of the documents with a number, name or term replaced by a question word. "
            "Each has one place in the documents that answers it.",
            "这些问题是把文档中的句子里的数字、名称或术语换成疑问词得到的。每个问题在文档中只有一处答案。",
        ),
        say(
            "They show which parts of the documents cannot be found, and whether other chunk sizes or another k find "
            "them better.",
            "它们能说明文档的哪些部分检索不到，以及换用别的片段大小或 k 是否更好。",
        ),
        say(
            "They do not show how well questions in a person's own words are answered, and must not decide between "
            "bm25, dense and hybrid or between embedding models: they repeat the words of the text, which favours "
            "search by words. For that, give questions of your own with --questions.",
            "它们不能说明用自己的话提问时的效果，也不能用来在 bm25、dense、hybrid 或不同嵌入模型之间做选择："
            "问题沿用了原文的词语，对按词检索有利。如需比较这些，请用 --questions 提供自己的问题。",
        ),
    )


def _written_notes() -> tuple[str, ...]:
    return (
        say(
            "These questions were written by the language model, each on one passage, and kept where the answer stands "
            "in that passage and nowhere else fits the question.",
            "这些问题由语言模型针对单个段落编写，只保留答案确在该段落中、且别处都不符合的问题。",
        ),
        say(
            "They are nearer to a person's questions than cloze, but still lean on the words of the text: compare "
            "settings with them rather than trusting the figures by themselves.",
            "它们比填空题更接近真实提问，但仍带有原文的词语：适合用来比较不同设置，不宜单看数值。",
        ),
    )


def _fewer(made: Sequence[Question], wanted: int) -> tuple[str, ...]:
    if len(made) >= wanted:
        return ()
    return (
        say(
            f"{len(made)} questions could be made; {wanted} were asked for.",
            f"要求 {wanted} 个问题，只能生成 {len(made)} 个。",
        ),
    )
