"""Questions in a box over the page."""

from nicegui import ui

from chinese_llm_rag.app.page.window import Window


async def confirmed(window: Window, question: str, action: str) -> bool:
    """Whether the user wants it done."""
    with ui.dialog() as dialog, ui.card():
        ui.label(question).classes("whitespace-pre-wrap")
        with ui.row().classes("w-full justify-end"):
            ui.button(window.words("Cancel", "取消"), on_click=lambda: dialog.submit(False)).props("flat")  # noqa: FBT003
            ui.button(action, on_click=lambda: dialog.submit(True)).props("color=negative").props("data-part=confirm")  # noqa: FBT003
    answer = bool(await dialog)
    dialog.delete()
    return answer


async def text_asked(window: Window, question: str, action: str) -> str | None:
    """A line of text from the user; None where there is none."""
    with ui.dialog() as dialog, ui.card():
        given = ui.input(question).props("autofocus").classes("w-80").props("data-part=asked-text")
        given.on("keydown.enter", lambda: dialog.submit(given.value))
        with ui.row().classes("w-full justify-end"):
            ui.button(window.words("Cancel", "取消"), on_click=lambda: dialog.submit(None)).props("flat")
            ui.button(action, on_click=lambda: dialog.submit(given.value)).props("data-part=confirm")
    answer = await dialog
    dialog.delete()
    return str(answer).strip() if answer else None
