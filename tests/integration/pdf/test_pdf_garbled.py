"""Text layers that a missing or wrong map has spoilt: found, left out, named, and read by OCR where there is any."""

import random
from pathlib import Path

import pytest
from pdf_files import HEIGHT, build, column, lines, text

from chinese_llm_rag.document_loaders.ocr import RecognizedLine
from chinese_llm_rag.document_loaders.page_texts import PageTexts
from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.errors import DocumentError

PROSE = [
    "第一条为了促进公共图书馆事业发展发挥公共图书馆功能保障公民基本文化权益提高公民科学文化素质和社会文明程度",
    "传承人类文明坚定文化自信制定本法本法所称公共图书馆是指向社会公众免费开放收集整理保存文献信息并提供查询借阅",
    "及相关服务开展社会教育的公共文化设施前款规定的文献信息包括图书报刊音像制品缩微制品数字资源等公共图书馆是社会",
    "主义公共文化服务体系的重要组成部分应当将推动引导服务全民阅读作为重要任务公共图书馆应当坚持社会主义先进文化前进",
    "方向坚持以人民为中心坚持以社会主义核心价值观为引领传承发展中华优秀传统文化继承革命文化发展社会主义先进文化",
]
TITLE = "读者服务须知"
PLACE = Path("文.pdf")


class ReadsWhatIsThere:
    """Stands in for OCR: gives lines where a test has drawn text, whatever the picture shows."""

    def __init__(self, *rows: tuple[float, float, str]) -> None:
        self.rows = rows
        self.shapes: list[tuple[int, ...]] = []

    def recognize(self, picture) -> list[RecognizedLine]:
        self.shapes.append(picture.shape)
        scale = picture.shape[0] / HEIGHT
        return [
            RecognizedLine(
                row, x * scale, (HEIGHT - y - 9) * scale, (x + 10 * len(row)) * scale, (HEIGHT - y + 1) * scale
            )
            for x, y, row in self.rows
        ]


def read(data: bytes, recognizer=None) -> PageTexts:
    return read_pdf(data, PLACE, recognizer=recognizer)


def shifted(character: str) -> str:
    return chr(ord(character) - 0x3000)  # Ethiopic, Canadian syllabics, Khmer, Yi ...


def shuffled(characters: str):
    ordered = sorted(set(characters))
    others = ordered[:]
    random.Random(7).shuffle(others)
    return dict(zip(ordered, others, strict=True)).get


def test_a_page_whose_characters_are_of_scripts_that_never_meet_is_refused_by_its_number():
    with pytest.raises(DocumentError, match=r"text layer is garbled .* on pages 1,") as caught:
        read(build(lines(50, 700, PROSE), shown_as=shifted))
    assert "ocr" in (caught.value.hint or "")


def test_a_map_that_mixes_up_common_characters_is_found():
    page = lines(50, 700, PROSE, size=8)
    assert "公共图书馆" in read(build(page)).texts[0]
    with pytest.raises(DocumentError, match="garbled"):
        read(build(page, shown_as=shuffled("".join(PROSE))))


def test_private_use_characters_are_found():
    with pytest.raises(DocumentError, match="garbled"):
        read(build(lines(50, 700, PROSE), shown_as=lambda c: chr(0xE000 + ord(c) % 0x1000)))


def test_a_text_of_replacement_characters_is_found():
    with pytest.raises(DocumentError, match="garbled"):
        read(build(lines(50, 700, PROSE), shown_as=lambda _: "\ufffd"))


def test_latin_letters_and_signs_in_place_of_chinese_are_found():
    with pytest.raises(DocumentError, match="garbled"):
        read(build(lines(50, 700, PROSE), shown_as=lambda c: chr(0xA1 + ord(c) % 0x5E)))


def test_one_character_for_many_glyphs_is_found_and_laughter_is_not():
    with pytest.raises(DocumentError, match="garbled"):
        read(build([text(50, 700, "针对港铁幕门安全性的投诉")], shown_as=lambda _: "針"))
    assert read(build([text(50, 700, "他大笑：哈哈哈哈哈哈")])).texts == ("他大笑：哈哈哈哈哈哈",)


def test_of_a_page_with_one_garbled_font_only_that_is_left_out_and_the_page_is_named():
    page = [text(50, 760, TITLE), *lines(50, 700, PROSE)]
    only = "".join(set(TITLE) - set("".join(PROSE)))
    heading = "须知"
    assert set(heading) <= set(only)
    page = [text(50, 760, heading * 3), *lines(50, 700, PROSE)]
    loaded = read(build(page, [text(50, 700, "第二页没有问题。")], shown_as=shifted, wrong=heading))
    assert loaded.texts[0].startswith("第一条为了促进")
    assert shifted("须") not in loaded.texts[0]
    assert loaded.texts[1] == "第二页没有问题。"
    assert "garbled" in (loaded.pages[0].problem or "")
    assert loaded.pages[1].problem is None
    (problem,) = loaded.problems
    assert problem.endswith(": 1")


def test_a_garbled_word_inside_a_line_leaves_a_visible_hole():
    page = [text(50, 700, "本馆每日须知须知开放至晚上九时整，节假日照常接待读者。"), *lines(50, 600, PROSE)]
    assert (
        read(build(page, shown_as=lambda c: chr(0xE000 + ord(c) % 256), wrong="须知"))
        .texts[0]
        .startswith("本馆每日〓开放")
    )


@pytest.mark.parametrize(
    "line",
    [
        "他说 Привет, мир 与 안녕하세요 都是问候。",
        "拼音 lǜsè、tiānqì，音标 /ˈlaɪbrəri/，德文 Bücherei、Größe。",
        "若 𝑥² + α ≤ ∑ 𝑓(𝑥)，则 ∀ε > 0 成立。",
        "蜘蛛、蜈蚣、蝎子、蟾蜍、壁虎合称五毒。",
        "地名𠮷野、㙟头，人名喆、堃、玥、翀。",
        "張偉、李娜、王芳、劉洋、陳靜、楊勇、趙軍、黃磊、周濤、吳剛",
        "温度为 25 ℃ ± 2 ℃，尺寸 30×40 cm，误差 µm 级；版权 ©2023，§3.2。",
        "☆★□■○●◎◇◆△▲▽▼※→←↑↓①②③㈠㈡",
        "\uf06c 列表项目一",
    ],
)
def test_what_only_looks_strange_is_no_garbled_text(line):
    loaded = read(build([text(50, 700, line, 8)]))
    assert loaded.pages[0].problem is None
    assert "〓" not in loaded.texts[0]
    assert not loaded.problems


def test_traditional_and_classical_texts_are_chinese():
    rows = [
        "臣亮言先帝創業未半而中道崩殂今天下三分益州疲弊此誠危急存亡之秋也",
        "然侍衛之臣不懈於內忠志之士忘身於外者蓋追先帝之殊遇欲報之於陛下也",
    ] * 4
    loaded = read(build(lines(50, 700, rows)))
    assert "先帝創業未半" in loaded.texts[0]
    assert not loaded.problems


def test_a_scanned_page_without_ocr_is_named_and_the_others_go_in():
    loaded = read(_join(build([text(50, 700, "正文。")]), picture_page=2))
    assert loaded.texts == ("正文。", "")
    assert loaded.pages[1].problem == "a picture without a text layer"
    assert loaded.problems[0].endswith(": 2")


def test_a_scan_with_a_stamp_of_text_is_still_a_scan():
    loaded = read(build([text(50, 20, "由某某扫描软件生成")], picture=True))
    assert loaded.pages[0].problem == "a picture without a text layer"
    assert loaded.problems[0].endswith(": 1")


def test_ocr_reads_a_scanned_page_in_the_order_of_its_columns():
    rows = [(50, 700 - 15 * n, row[:22]) for n, row in enumerate(PROSE[:4])]
    right = [(330, 700 - 15 * n, row[22:44]) for n, row in enumerate(PROSE[:4])]
    woven = [row for pair in zip(rows, right, strict=True) for row in pair]
    loaded = read(build([], picture=True), ReadsWhatIsThere(*woven))
    joined = "".join(row[:22] for row in PROSE[:4])
    assert loaded.texts[0].replace("\n", "").startswith(joined)
    assert loaded.pages[0].problem is None
    assert loaded.problems == ("pages read by OCR, which may misread characters: 1",)


def test_ocr_takes_the_place_of_garbled_lines_alone():
    page = [text(50, 760, "须知须知须知"), *lines(50, 700, PROSE)]
    recognizer = ReadsWhatIsThere((50, 760, TITLE), (50, 700, "第—条为了促逬"))
    loaded = read(build(page, shown_as=shifted, wrong="须知"), recognizer)
    assert loaded.texts[0].startswith(f"{TITLE}\n第一条为了促进公共图书馆")


def test_a_page_without_any_problem_is_never_rendered():
    recognizer = ReadsWhatIsThere()
    read(build(lines(50, 700, PROSE)), recognizer)
    assert recognizer.shapes == []


def test_a_page_as_large_as_a_house_is_rendered_in_bounds():
    recognizer = ReadsWhatIsThere((0, 0, "甲"))
    data = build([], picture=True).replace(b"[0 0 595 842]", b"[0 0 9999999 9999999]")
    read(data + b"%%EOF", recognizer)
    assert max(recognizer.shapes[0]) <= 3000


def test_vertical_text_is_not_taken_for_garbled():
    page = column(500, 780, PROSE[0]) + column(480, 780, PROSE[1])
    assert read(build(page)).texts[0].startswith(PROSE[0])


def _join(data: bytes, picture_page: int) -> bytes:
    """The file with a page that is a picture after its first."""
    import io

    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    scan = pypdf.PdfReader(io.BytesIO(build([], picture=True)))
    writer.insert_page(scan.pages[0], picture_page - 1)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
