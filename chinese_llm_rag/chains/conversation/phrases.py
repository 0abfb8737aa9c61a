"""Chinese words that a question is made of beside what it is about: data of the rules, and how it is taken off.

Knows no rule; all words are in simplified script, to which `plain` brings a question.
"""

import re

from chinese_llm_rag.chinese_script import one_script
from chinese_llm_rag.chinese_text import HAN, normalize

# Words that ask, and the words between words.
_ASKING = """
什么时候 什么地方 什么样 什么 为什么 为何 为啥 啥 咋 怎么样 怎么办 怎么 怎样 如何 何以 多少钱 多少 多久 多大 多长
多高 多远 多深 多重 多快 几个 几次 几种 几年 几月 几天 几 哪个 哪些 哪里 哪儿 哪年 哪一年 哪一 哪种 哪位 哪 谁 何时
何地 何处 何人 何种 何 是否 能否 可否 有没有 是不是 能不能 会不会 要不要 可不可以 需不需要 对吗 是吗 是真的 真的
"""
_FUNCTION = """
请问 请 告诉我 告诉 我想知道 想知道 我想问 想问 帮我 麻烦 介绍一下 介绍 说明 解释 一下 以及 还有 并且 关于 对于 根据
按照 其中 属于 叫做 称为 叫 进行 可以 能够 应该 应当 需要 必须 那么 如果 要是 假如 的话 不过 但是 可是 所以 因此
到底 究竟 一般 通常 大概 大约 分别 各自 一共 总共 至少 至多 至 会 能 要 应 该 得 由 为 从 到 于 给 向 对 被 把 让 跟
和 与 或 及 是 在 的 地 了 过 着 有 没有 没 不 还 也 都 又 就 才 再 吗 呢 吧 啊 呀 哦 嗯 我们 我 你们 你 您 最 更
比较 约 共 按 用 以 之 所 里 中 上 下 内 外 时 前 后 个 些 种 样
"""
# Words that ask for more of the same.
_GOING_ON = """
继续 然后 接着 接下来 后来 结果 详细 具体 展开 深入 进一步 说说 讲讲 谈谈 说 讲 谈 聊聊 举个例子 举一个例子 举例子
举例说明 举例 例子 比如 例如 譬如 一点 一些 别的 其他 其它 其余 另外 更多 清楚 明白 总结 概括 归纳 简单 简短 简要
简洁 换句话 列出来 列出 列举 全部 所有 补充 来看 看看 回答 答案 内容 部分 方面
"""
# Names of what belongs to something: alone they do not say to what.
_ATTRIBUTES = """
保质期 价格 价钱 单价 售价 租金 押金 工资 薪资 奖金 补贴 津贴 保费 定价 费用 花费 成本 金额 总额 利润 净利润 毛利率 收入
营业收入 营收 销售额 产值 产量 销量 增长率 增速 税率 利率 比例 比率 占比 市值 股价 时间 日期 地点 地址 位置 电话
邮箱 网址 联系人 联系方式 负责人 法定代表人 法人 董事长 总经理 总裁 创始人 作者 译者 主编 编者 导演 主演 编剧 出版社
注册资本 总部 面积 人口 长度 全长 高度 宽度 深度 重量 质量 体积 容量 尺寸 大小 规格 型号 颜色 材质 材料 成分 温度
水温 湿度 速度 功率 电压 寿命 年龄 性别 职务 职位 学历 专业 国籍 籍贯 原因 理由 目的 意义 作用 功能 功效 用途 特点
特征 特色 优点 缺点 优势 劣势 不足 好处 坏处 区别 不同 差别 差异 影响 后果 效果 结论 范围 对象 定义 含义 意思 背景
历史 起源 由来 来历 条件 要求 标准 流程 步骤 程序 方法 方式 办法 手续 期限 有效期 保修期 试用期 截止日期 次数 数量
人数 名额 频率 周期 顺序 处罚 罚款 罚金 责任 义务 权利 权限 例外 情况 风险 措施 建议 注意事项 名称 名字 姓名 全名
简称 别名 英文名 编号 等级 级别 类型 种类 类别 分类 结构 组成 构成 症状 病因 疗法 剂量 用法 副作用 禁忌 产地 口感
味道 口味 做法 钱 人 年 月 天 岁 次 倍 名 元
"""
# What happens to something: alone they do not say to what.
_VERBS = """
成立 创立 创办 建立 建成 建造 设立 生效 失效 实施 施行 执行 发布 公布 颁布 通过 出版 发行 上市 上映 开始 结束 开放
关闭 开业 出生 诞生 去世 逝世 毕业 退休 结婚 当选 获奖 发明 发现 提出 创作 编写 撰写 写 设计 负责 承担 主持 组织
管理 批准 审批 签署 签订 签字 制定 修订 修改 起草 规定 约定 申请 办理 报名 提交 缴纳 交 支付 付款 付 退款 退还 报销
收费 收 使用 安装 操作 配置 启动 停止 计算 算 保存 储存 存放 存 维护 保养 清洗 更换 处理 解决 预防 治疗 避免 防止
改善 提高 降低 实现 完成 做 办 发生 出现 举行 举办 召开 参加 到期 续签 解除 终止 验收 交付 登记 查询 查 获得 得到
领取 取得 赔偿 补偿 处罚 赔 罚 购买 买 卖 吃 喝 冲泡 泡 导致 引起 造成 产生 形成 变化 增长 下降 减少 增加 持续 延长
超过 达到 适用 包括 包含 组成 来 去 住 产于 位于 发源于 坐落于 来自 出自 源于 源自 生于 毕业于 隶属于 建于 始建于
成立于 用于
"""
# A time, an ordinal or a measure says which of several, not of what.
WHICH = (
    r"(?:第[一二三四五六七八九十百\d]+(?:年|季度|月|天|次|个|章|条|节|款|项|点|种|阶段|步|部分|名|位|期|届|轮|卷|集)?"
    r"|[上下前后去今明本次][一半]?(?:年|个月|月|季度|周|次|届|期|半年)"
    r"|[一二三四五六七八九十零〇两\d]+(?:年|月|日|号|季度|月份|岁|点|个月|天|周)(?:以[前后上下内])?"
    r"|上午|下午|晚上|周末|节假日|工作日|最后|最多|最少|最大|最小|最高|最低|最长|最短|最早|最晚|最新)"
)


def _any_of(*lists: str) -> re.Pattern[str]:
    """Any word of the lists, longer ones first, so that they go as a whole."""
    words = sorted({word for words in lists for word in words.split()}, key=lambda word: (-len(word), word))
    return re.compile("|".join(words))


_WHICH = re.compile(WHICH)
_ASKS = _any_of(_ASKING)
_BETWEEN = _any_of(_ASKING, _FUNCTION)
_MORE = _any_of(_ASKING, _FUNCTION, _GOING_ON)
_LEFT_OPEN = re.compile(f"{WHICH}|{_any_of(_ASKING, _FUNCTION, _GOING_ON, _ATTRIBUTES, _VERBS).pattern}")
_ATTRIBUTE = _any_of(_ATTRIBUTES)
_LONG_ATTRIBUTES = " ".join(word for word in _ATTRIBUTES.split() if len(word) > 1)
_ENDS_WITH_ATTRIBUTE = re.compile(rf"(?:{_any_of(_LONG_ATTRIBUTES).pattern}|(?<![时学])期|[率费额量价])$")
# Where a name ends: at words of several letters, and at the few of one letter that are hardly ever part of one.
_LONG_WORDS = " ".join(
    word for words in (_ASKING, _FUNCTION, _GOING_ON, _ATTRIBUTES, _VERBS) for word in words.split() if len(word) > 1
)
_AROUND_TOPIC = re.compile(
    rf"{WHICH}|{_any_of(_LONG_WORDS).pattern}|[的是吗呢了那这把被哪谁几它他她]|[，,。？?！!；;：:]"
)
_EDGES_OF_TOPIC = re.compile(
    r"^[在从由对于给为请到和与及也都还有要]+|[在由有要能会为于给对向从到需应该约共最也都还和与及]+$"
)
_TITLE = re.compile(r"《[^《》]{1,40}》")
_NAMES_NOTHING = re.compile(r"[\W_]+")
_HAN = re.compile(HAN)


def plain(question: str) -> str:
    """A question in normal form and simplified script, without the mark at its end."""
    return simplified(normalize(question)).strip().strip("？?。.！!~…、，, ")


def simplified(text: str) -> str:
    """The text in simplified script for comparing; every character stays in its place."""
    return one_script(text).replace("幺", "么")  # which the rules write as everybody does


def asks(text: str) -> re.Match[str] | None:
    """The first word that asks."""
    return _ASKS.search(text)


def content(text: str) -> str:
    """What a plain text holds beside words that only ask."""
    return _rest(_BETWEEN, text)


def content_beside_more(text: str) -> str:
    """What a plain text holds beside words that ask for more of the same."""
    return _rest(_MORE, text)


def named(text: str) -> str:
    """What a plain text is about: the rest beside words that ask, attributes, what happens, and times."""
    return _rest(_LEFT_OPEN, text)


def is_attribute(text: str) -> bool:
    """Whether a plain text only names attributes: 价格, 价格和产地; not 第二年的租金."""
    return bool(_ATTRIBUTE.search(text)) and not _ATTRIBUTE.sub("", re.sub(r"[的和、与及]", "", text))


def ends_with_attribute(text: str) -> bool:
    """Whether the last word of a plain text is the name of an attribute: 流域面积, 第二年的租金."""
    return _ENDS_WITH_ATTRIBUTE.search(text) is not None


def topic_of(question: str) -> str:
    """What a question is about, in its own letters: the title in it, or its first words that name something; or ""."""
    if title := _TITLE.search(question):
        return title[0]
    runs = (run.strip() for run in _split(_AROUND_TOPIC, question))
    runs = (_EDGES_OF_TOPIC.sub("", run) for run in runs)
    attribute = _ATTRIBUTE.search(simplified(question))
    alone = question[attribute.start() : attribute.end()] if attribute else ""
    return next((run for run in runs if len(_NAMES_NOTHING.sub("", run)) > 1), alone)


def which_of_several(text: str) -> list[re.Match[str]]:
    """The times, ordinals and measures of a plain text."""
    return list(_WHICH.finditer(text))


def han_count(text: str) -> int:
    """How many Han characters a text has."""
    return len(_HAN.findall(text))


def _split(around: re.Pattern[str], question: str) -> list[str]:
    """The question's own letters between matches in its simplified form."""
    ends = [match.span() for match in around.finditer(simplified(question))]
    starts = [0, *(end for _, end in ends)]
    return [question[start:stop] for start, (stop, _) in zip(starts, [*ends, (len(question), 0)], strict=True)]


def _rest(taken_off: re.Pattern[str], text: str) -> str:
    return _NAMES_NOTHING.sub("", taken_off.sub(" ", text))
