"""The two documents of the demo: what a reader and a citation rely on."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pypdf
import pypdfium2
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "demo" / "build_documents.py"
A4_POINTS = (595, 842)
FOOTER = re.compile(r"第 (\d+) 页，共 (\d+) 页")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_documents", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.stem: path for path in script.build_documents(tmp_path_factory.mktemp("demo"))}


def page_texts(path: Path) -> list[str]:
    """The text layer, page by page, lines as they are printed."""
    document = pypdfium2.PdfDocument(path)
    try:
        return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]
    finally:
        document.close()


def page_of(sentence: str, texts: list[str]) -> list[int]:
    """Pages that hold the sentence, which may run over a line's end."""
    squeezed = re.sub(r"\s", "", sentence)
    return [number for number, text in enumerate(texts, 1) if squeezed in re.sub(r"\s", "", text)]


def test_the_manual_has_at_least_eight_a4_pages(built: dict[str, Path]) -> None:
    pages = pypdf.PdfReader(built["manual"]).pages
    assert len(pages) >= 8
    assert {(round(p.mediabox.width), round(p.mediabox.height)) for p in pages} == {A4_POINTS}


@pytest.mark.parametrize("name", ["manual", "solar_terms"])
def test_the_printed_page_number_is_the_page_of_the_file(built: dict[str, Path], name: str) -> None:
    texts = page_texts(built[name])
    printed = [tuple(map(int, FOOTER.findall(text)[-1])) for text in texts]
    assert printed == [(number, len(texts)) for number in range(1, len(texts) + 1)]


def test_every_page_after_the_first_has_the_title_as_its_header(built: dict[str, Path]) -> None:
    first, *others = page_texts(built["manual"])
    assert "chinese-llm-rag 使用手册" in first
    assert {text.partition("\n")[0].strip() for text in others} == {"chinese-llm-rag 使用手册"}


def test_every_entry_of_the_contents_names_the_page_of_its_heading(built: dict[str, Path]) -> None:
    first, *_ = texts = page_texts(built["manual"])
    entries = re.findall(r"^(\d+(?:\.\d+)?) (.+?) (\d+)$", first, flags=re.MULTILINE)
    assert [number for number, _, _ in entries if "." not in number] == [str(n) for n in range(1, 13)]
    for number, title, page in entries:
        lines = [line.strip() for line in texts[int(page) - 1].splitlines()]
        assert f"{number} {title}" in lines, (number, title, page)


@pytest.mark.parametrize(
    ("name", "page", "sentence"),
    [
        ("manual", 2, "编译一次大约需要 400 秒的处理器时间"),
        ("manual", 4, "没有变化的文件会被跳过，改动过的文件会重新处理。"),
        ("manual", 5, "次序从高到低是：命令行选项、环境变量、TOML 设置文件、默认值。"),
        ("manual", 6, "SQLite 清单是唯一的事实依据"),
        ("manual", 7, "按下 Ctrl+C 之后，程序以退出码 130 结束，知识库保持完整。"),
        ("manual", 8, "演示用的语言模型是 Gemma 3 270M 的基座版本，文件大小为 253 MB"),
        ("solar_terms", 1, "清代从1645年起施行《时宪历》"),
        ("solar_terms", 2, "从2008年起，清明节成为国家法定节假日。"),
        ("solar_terms", 3, "数完九个“九”共81天"),
        ("solar_terms", 3, "霜降是秋季的最后一个节气"),
    ],
)
def test_a_sentence_stands_whole_on_its_one_page(built: dict[str, Path], name: str, page: int, sentence: str) -> None:
    assert page_of(sentence, page_texts(built[name])) == [page]


def test_table_rows_come_out_of_the_text_layer_as_lines(built: dict[str, Path]) -> None:
    assert "130 被中断 用户按下了 Ctrl+C；知识库保持完整" in "\n".join(page_texts(built["manual"]))
    rows = re.findall(r"^[春夏秋冬] (\w\w) (\d+)度 ", page_texts(built["solar_terms"])[3], flags=re.MULTILINE)
    assert len({name for name, _ in rows}) == 24
    # From the start of spring (315°) each term is 15° further on.
    assert [int(degrees) for _, degrees in rows] == [(315 + 15 * i) % 360 for i in range(24)]


@pytest.mark.parametrize("name", ["manual", "solar_terms"])
def test_the_text_layer_is_the_source_text_without_a_missing_character(built: dict[str, Path], name: str) -> None:
    """Every Han character of the source comes out as itself, and nothing comes out as a substitute."""
    text = "".join(page_texts(built[name]))
    source = SCRIPT.with_name(f"{name}.typ").read_text(encoding="utf-8")
    han = re.compile("[\u4e00-\u9fff]")
    assert set(han.findall(source)) <= set(han.findall(text))
    assert not re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd\ufffe\uf900-\ufaff\u2e80-\u2fdf\ue000-\uf8ff]", text)


@pytest.mark.parametrize("name", ["manual", "solar_terms"])
def test_all_fonts_are_embedded_and_the_han_font_is_noto(built: dict[str, Path], name: str) -> None:
    embedded, names = [], set()
    for page in pypdf.PdfReader(built[name]).pages:
        for font in page["/Resources"]["/Font"].values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = descendant["/FontDescriptor"].get_object()
            names.add(str(descendant["/BaseFont"]))
            embedded.append(bool({"/FontFile2", "/FontFile3"} & set(descriptor)))
            assert "/ToUnicode" in font.get_object()
    assert embedded
    assert all(embedded)
    assert any("NotoSansCJK" in font for font in names)


def test_two_builds_give_the_same_bytes(script: ModuleType, built: dict[str, Path], tmp_path: Path) -> None:
    for path in script.build_documents(tmp_path):
        assert path.read_bytes() == built[path.stem].read_bytes()


def test_a_character_that_the_font_does_not_have_stops_the_build(script: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "cuneiform.typ"
    source.write_text('#set text(font: "Noto Sans CJK JP")\n直\U00012345', encoding="utf-8")
    with pytest.raises(script.DemoBuildError, match="could not be displayed"):
        script.compile_pdf(source)


def test_a_missing_font_package_is_an_error_that_names_the_next_step(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "FONT_PACKAGE", "no-such-typeface")
    assert script.main([str(tmp_path)]) == 1
    assert "hint: pip install --no-deps no-such-typeface" in capsys.readouterr().err


def test_a_missing_compiler_is_an_error_that_names_the_next_step(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    assert script.main([str(tmp_path)]) == 1
    assert "hint: pip install typst" in capsys.readouterr().err


def test_a_call_without_a_folder_is_a_usage_error(script: ModuleType) -> None:
    assert script.main([]) == 2
