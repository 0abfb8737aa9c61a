"""Wherever text stands on a page, every character of it is read once."""

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pdf_files import build, grid, text

from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.errors import DocumentError

WORDS = [
    "图书馆",
    "读者服务须知",
    "第一章 总则",
    "借阅期限为三十天，可以续借一次。",
    "PDF",
    "2023 年",
    "1.2",
    "一",
    "abc-d",
    "（二）",
]

placed = st.builds(
    text, st.integers(20, 520), st.integers(20, 820), st.sampled_from(WORDS), st.sampled_from([6, 10, 10, 10, 16])
)
tables = st.builds(
    grid,
    st.lists(st.integers(20, 570), min_size=2, max_size=5, unique=True),
    st.lists(st.integers(20, 820), min_size=2, max_size=6, unique=True),
)


def overlaps(a: tuple, b: tuple) -> bool:
    """Whether two texts are drawn over one another; then it is not clear what a reader sees."""
    width = sum(0.5 if c.isascii() else 1 for c in a[2]) * a[3], sum(0.5 if c.isascii() else 1 for c in b[2]) * b[3]
    return (
        a[0] < b[0] + width[1] + 2 and b[0] < a[0] + width[0] + 2 and a[1] < b[1] + b[3] + 2 and b[1] < a[1] + a[3] + 2
    )


def visible(content: str) -> Counter[str]:
    return Counter(c for c in content if not c.isspace() and c not in "|-\\")


@settings(max_examples=120)
@given(st.lists(st.tuples(st.lists(placed, max_size=25), st.lists(tables, max_size=1)), min_size=1, max_size=4))
def test_every_character_is_in_the_text_or_in_the_furniture_of_its_page_once(pages):
    kept = []
    for items, rules in pages:
        page: list[tuple] = []
        for item in items:
            if not any(overlaps(item, other) for other in page):
                page.append(item)
        kept.append((page, rules))
    data = build(*([*page, *(rule for table in rules for rule in table)] for page, rules in kept))
    try:
        loaded = read_pdf(data, Path("文.pdf"), recognizer=None)
    except DocumentError:
        assert not any(page for page, _ in kept)
        return
    for (page, _), content, details in zip(kept, loaded.texts, loaded.pages, strict=True):
        assert visible(content + "".join(details.furniture)) == visible("".join(item[2] for item in page))
        for mark in details.marks:
            assert content[mark.start : mark.end].startswith("|")
            assert content[mark.start : mark.header_end].count("\n") >= 1
