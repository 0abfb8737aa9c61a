"""A number, a date, a name or a script in a question finds its passage in each written form."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

# A file each. Those of a group say the same of other values, so that only the value tells them apart.
PASSAGES = {
    "条例2008": "该条例自二〇〇八年八月一日起在全国施行。",
    "条例2011": "该条例自二〇一一年三月五日起在全国施行。",
    "条例2018": "该条例自2018年12月25日起在全国施行。",
    "公司1998": "本公司成立于两千零八年之前，即民国八十七年。",
    "公司2012": "本公司成立于民國101年5月。",
    "公司2020": "本公司成立于2020/7/9。",
    "税率13": "此类货物适用的税率是百分之十三。",
    "税率9": "此类货物适用的税率是9%。",
    "税率6.5": "此类货物适用的税率是６．５％。",
    "税率千分之三": "此类货物适用的税率是千分之三。",
    "人口120万": "全县人口为一百二十万人。",
    "人口35万": "全县人口为35万人。",
    "人口2.3亿": "全县人口为2.3亿人。",
    "人口12000": "全县人口为1,2000余人，即一万二千人。",
    "第十二条": "第十二条 承租人应当按时缴纳租金。",
    "第15条": "第15条 承租人应当按时缴纳租金。",
    "第123条": "第一百二十三条 承租人应当按时缴纳租金。",
    "份额1/3": "他持有的份额是三分之一。",
    "份额2/5": "他持有的份额是2/5。",
    "金额": "违约金为人民币叁佰伍拾元整。",
    "金额二": "违约金为人民币捌佰元整。",
    "圆周率": "该系数约为三点一四。",
    "圆周率二": "该系数约为2.72。",
    "模型4": "实验采用的模型是GPT-4。",
    "模型5": "实验采用的模型是ＧＰＴ５。",
    "病毒19": "样本中检出COVID-19病毒。",
    "病毒03": "样本中检出SARS-03病毒。",
    "语言C++": "程序由C++写成。",
    "语言C#": "程序由C#写成。",
    "繁体": "臺灣大學圖書館藏有《資治通鑑》。",
    "简体": "苏州大学图书馆藏有《史记》。",
    "简体软件": "软件著作权登记由版权保护中心办理。",
    "繁体发展": "經濟發展與環境保護應當並重。",
    "头发": "理髮師為他修剪頭髮。",
    "干部": "幹部應當乾淨做事。",
    "全角": "联系电话：０２１－５５５６６７７８。",
    "空格": "合 同 编 号 为 甲 字 第 七 号。",
    "地址": "服务器的地址是10.0.0.1。",
    "地址二": "服务器的地址是10.0.0.2。",
    "温度": "实验在零下二十五摄氏度进行。",
    "温度二": "实验在零下四十摄氏度进行。",
}

PAIRS = [
    # years and dates
    ("2008年施行的条例", "条例2008"),
    ("两千零八年八月施行的条例", "条例2008"),
    ("2008-08-01起施行的是什么？", "条例2008"),
    ("2008/8/1施行的条例", "条例2008"),
    ("２００８年８月１日施行的条例", "条例2008"),
    ("二零零八年八月施行的条例", "条例2008"),
    ("2011年3月5号施行的条例", "条例2011"),
    ("哪部条例在3月5日施行？", "条例2011"),
    ("二〇一八年施行的条例", "条例2018"),
    ("十二月二十五日施行的条例", "条例2018"),
    ("民国107年施行的条例", "条例2018"),
    ("1998年成立的公司", "公司1998"),
    ("2012年成立的公司", "公司2012"),
    ("二○一二年五月成立的公司", "公司2012"),
    ("2020年7月9日成立的公司", "公司2020"),
    ("二〇二〇年七月成立的公司", "公司2020"),
    # shares
    ("税率为13%的货物", "税率13"),
    ("税率为１３％的货物", "税率13"),
    ("税率为百分之九的货物", "税率9"),
    ("税率为百分之六点五的货物", "税率6.5"),
    ("税率为0.3%的货物", "税率千分之三"),
    ("税率为3‰的货物", "税率千分之三"),
    ("份额1/3", "份额1/3"),
    ("持有五分之二的份额", "份额2/5"),
    # numbers
    ("人口120万的县", "人口120万"),
    ("人口1,200,000的县", "人口120万"),
    ("人口1200000人", "人口120万"),
    ("人口三十五万的县", "人口35万"),
    ("人口350000", "人口35万"),
    ("人口两亿三千万的县", "人口2.3亿"),
    ("人口230000000", "人口2.3亿"),
    ("人口1.2万的县", "人口12000"),
    ("违约金350元", "金额"),
    ("违约金三百五十元", "金额"),
    ("违约金800元", "金额二"),
    ("系数3.14", "圆周率"),
    ("系数二点七二", "圆周率二"),
    ("零下25摄氏度的实验", "温度"),
    ("零下40摄氏度的实验", "温度二"),
    # articles
    ("第12条规定了什么？", "第十二条"),
    ("第１２条规定了什么？", "第十二条"),
    ("第十五条规定了什么？", "第15条"),
    ("第123条规定了什么？", "第123条"),
    # names of letters and digits
    ("GPT4的实验", "模型4"),
    ("gpt 4 的实验", "模型4"),
    ("GPT-5的实验", "模型5"),
    ("covid19病毒", "病毒19"),
    ("COVID 19病毒", "病毒19"),
    ("用c++写成的程序", "语言C++"),
    ("用Ｃ＃写成的程序", "语言C#"),
    ("10.0.0.1是什么？", "地址"),
    # scripts, widths, spaces
    ("台湾大学图书馆", "繁体"),
    ("资治通鉴在哪里", "繁体"),
    ("蘇州大學圖書館", "简体"),
    ("軟件著作權登記", "简体软件"),
    ("经济发展与环境保护", "繁体发展"),
    ("理发师修剪头发", "头发"),
    ("干部干净做事", "干部"),
    ("021-55566778", "全角"),
    ("合同编号甲字第七号", "空格"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("forms")
    documents = folder / "documents"
    documents.mkdir()
    for name, text in PASSAGES.items():
        (documents / f"{name.replace('/', '／')}.txt").write_text(text, encoding="utf-8")
    with KnowledgeBase.open(folder / "kb", HashEmbeddings(), ChineseTextSplitter()) as opened:
        opened.ingest(documents)
        yield opened


@pytest.mark.parametrize(("question", "passage"), PAIRS)
def test_a_question_finds_its_passage_in_another_written_form(base, question, passage):
    best = base.retriever(1, mode="bm25").invoke(question)[0]
    assert Path(best.metadata["source"]).stem == passage.replace("/", "／")


def test_the_table_has_forty_pairs_whose_passage_does_not_hold_the_words_of_the_question():
    assert len(PAIRS) >= 40
    assert not [question for question, passage in PAIRS if question in PASSAGES[passage]]


@pytest.mark.parametrize("question", ["臺灣大學圖書館藏有什麼書？", "台湾大学图书馆藏有什么书？"])
def test_scripts_meet_in_both_directions(base, question):
    best = base.retriever(1, mode="bm25").invoke(question)[0]
    assert "臺灣大學" in best.page_content
