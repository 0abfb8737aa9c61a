"""evaluation: how well retrieval and answers do on questions, and whether one setting is better than another."""

from chinese_llm_rag.evaluation.answers import Answering, AnswerReport, WithholdingRetriever, evaluate_answers
from chinese_llm_rag.evaluation.base_texts import document_of, source_texts
from chinese_llm_rag.evaluation.cloze import make_cloze_questions
from chinese_llm_rag.evaluation.locate import SourceText, locate
from chinese_llm_rag.evaluation.made_questions import make_questions
from chinese_llm_rag.evaluation.question_files import load_documents, load_questions
from chinese_llm_rag.evaluation.questions import Evidence, Question, QuestionSet
from chinese_llm_rag.evaluation.report import EvaluationReport, RetrievalReport
from chinese_llm_rag.evaluation.retrieval import Candidate, evaluate
from chinese_llm_rag.evaluation.save import save_report

__all__ = [
    "AnswerReport",
    "Answering",
    "Candidate",
    "EvaluationReport",
    "Evidence",
    "Question",
    "QuestionSet",
    "RetrievalReport",
    "SourceText",
    "WithholdingRetriever",
    "document_of",
    "evaluate",
    "evaluate_answers",
    "load_documents",
    "load_questions",
    "locate",
    "make_cloze_questions",
    "make_questions",
    "save_report",
    "source_texts",
]
