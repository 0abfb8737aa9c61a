"""How an answer or a summary looks: sentences with numbered citations, those without support marked, sources."""

from typing import Any

from nicegui import ui

from chinese_llm_rag.app.page.evidence import EvidencePanel
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.rendering import numbered, place_of, shortened, without_model


def show_answer(window: Window, evidence: EvidencePanel, answer: dict[str, Any]) -> None:
    """Show an answer where the caller stands; a click on a citation opens the evidence."""
    words = window.words
    with words.spoken():
        places, sentences = numbered(answer)
        with ui.element("div").classes("answer").props("data-part=answer"):
            if not sentences:
                ui.label(answer["text"])
            at = 0
            for sentence, numbers in sentences:
                between, at = answer["text"][at : sentence["start"]], sentence["end"]
                if "\n" in between:
                    ui.element("br")
                _sentence(window, evidence, sentence, {number: places[number - 1] for number in numbers})
        if answer["refused"]:
            ui.label(answer["reason"] or "").classes("text-sm opacity-70")
            if answer.get("withheld"):
                said = words("The model said: ", "模型的回答：")
                ui.label(f"{said}{answer['withheld']}").classes("text-sm opacity-70 unsupported")
        if note := without_model(answer):
            ui.label(note).classes("text-sm opacity-70").props("data-part=without-model")
        for number, place in enumerate(places, 1):
            with ui.row().classes("source no-wrap gap-2"):
                _citation(window, evidence, number, place)
                ui.label(f"{place_of(place)}{words(': ', '：')}“{shortened(place['text'])}”").classes("text-sm")


def _sentence(
    window: Window, evidence: EvidencePanel, sentence: dict[str, Any], places: dict[int, dict[str, Any]]
) -> None:
    text = ui.label(sentence["text"]).classes("sentence")
    if not sentence["supported"]:
        text.classes("unsupported")
        note = window.words(" (no support found)", "（没有找到依据）")
        ui.label(note).classes("sentence unsupported-note")
    for number, place in places.items():
        _citation(window, evidence, number, place)
    for place in sentence.get("contradicted_by", ()):
        _contradiction(window, evidence, place)


def _contradiction(window: Window, evidence: EvidencePanel, place: dict[str, Any]) -> None:
    label = window.words("Another place says otherwise", "另有一处说法不同")
    ui.button("≠", on_click=lambda: evidence.show(place)).props(
        f'dense unelevated size=sm color=warning text-color=black title="{label}" aria-label="{label}"'
    ).classes("citation").props("data-part=contradiction")


def _citation(window: Window, evidence: EvidencePanel, number: int, place: dict[str, Any]) -> None:
    label = f"{window.words('Show source', '查看出处')} {number}"
    ui.button(f"{number}", on_click=lambda: evidence.show(place)).props(
        f'dense unelevated size=sm aria-label="{label}"'
    ).classes("citation").props("data-part=citation")
