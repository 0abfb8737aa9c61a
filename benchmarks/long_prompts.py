"""Chinese prompts of a wanted length for the benchmarks: a rule book made of numbered, all different articles."""

import random
from collections.abc import Callable

_WHO = ("读者", "借阅人", "管理员", "值班人员", "维修人员", "志愿者", "参观者", "研究人员", "学生", "教师")
_WHAT = ("古籍", "期刊", "地图", "录音资料", "缩微胶片", "工具书", "电子设备", "展品", "手稿", "报纸合订本")
_DOES = ("借出", "复制", "搬运", "修补", "登记", "拍摄", "归还", "查阅", "展示", "封存")
_WHERE = ("东侧阅览室", "二楼书库", "地下恒温库", "修复室", "服务台", "报告厅", "临时展厅", "档案室")
_UNIT = ("日", "小时", "周", "个月")


def article(number: int, chance: random.Random) -> str:
    """One article; no two of the same book are alike."""
    who, other = chance.sample(_WHO, 2)
    return (
        f"第{number}条 {who}需要{chance.choice(_DOES)}{chance.choice(_WHAT)}的，应当提前{chance.randint(2, 30)}"
        f"{chance.choice(_UNIT)}向{chance.choice(_WHERE)}提出，由{other}核对编号{chance.randint(1000, 9999)}后办理；"
        f"逾期未办的，每次计{chance.randint(2, 20)}分，并在{chance.choice(_WHERE)}公示{chance.randint(3, 15)}天。\n"
    )


def rule_book(n_tokens: int, count: Callable[[str], int], *, seed: int = 1) -> list[str]:
    """Articles that together have about n_tokens by `count`."""
    chance = random.Random(seed)
    articles: list[str] = []
    total = 0
    while total < n_tokens:
        articles.append(article(len(articles) + 1, chance))
        total += count(articles[-1])
    return articles[:-1]
