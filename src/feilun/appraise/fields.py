"""What people call the fields of a log, and how numbers and times are read from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from feilun.records import Json


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The order is the order of preference.
NAMES: dict[str, tuple[str, ...]] = {
    "input": _words(
        "input inputtext text question prompt query inputs sentence utterance content message "
        "usermessage document review title description line "
        "输入 文本 问题 提问 内容 句子 消息 评论 标题 描述"
    ),
    "output": _words(
        "output outputtext answer response completion prediction predicted pred predictedlabel "
        "modeloutput llmoutput modelanswer outputs generation result reply assistant label "
        "category class intent sentiment 输出 答案 回答 回复 预测 预测结果 结果 标签 类别 分类 意图"
    ),
    "gold": _words(
        "gold goldlabel golden groundtruth truth truelabel true expected expectedoutput correct "
        "correctanswer correctlabel reference ideal human humanlabel "
        "正确 正确答案 正确标签 标准答案 人工 人工标注 人工标签 真实 真实标签 参考答案"
    ),
    "task": _words("task taskname workloadid functionname usecase 任务 任务名 任务名称"),
    "system": _words("system systemprompt instruction instructions 系统 系统提示 指令"),
    "time": _words(
        "time timestamp created createdat ts date datetime starttime requesttime "
        "时间 日期 时间戳 创建时间"
    ),
    "tokens_in": _words("tokensin inputtokens prompttokens 输入词元 输入tokens"),
    "tokens_cached": _words("tokenscached cachedtokens"),
    "tokens_out": _words("tokensout outputtokens completiontokens 输出词元 输出tokens"),
    "cost_usd": _words("costusd responsecost totalcost calculatedtotalcost"),
    "cost": _words("cost 费用 成本 花费"),
}

_JUNK = re.compile(r"[\s_\-.]+")


def plain(name: str) -> str:
    """A field's name without case, spaces, dashes and underscores."""
    return _JUNK.sub("", name.strip().lstrip("\ufeff").casefold())


@dataclass(frozen=True)
class Choice:
    """The fields that a person named; None where they are to be found by name."""

    input: str | None = None
    output: str | None = None
    gold: str | None = None
    task: str | None = None

    def of(self, role: str) -> str | None:
        """The name given for a role."""
        named: str | None = getattr(self, role, None)
        return named


def find(names: Sequence[str], role: str, taken: Sequence[str] = ()) -> str | None:
    """The field that plays a role, by its usual names; the first of equals."""
    return next((name for name in _usual(tuple(names), role) if name not in taken), None)


def get(source: Mapping[str, Json], role: str) -> Json:
    """The value of the field that plays a role and is not empty."""
    values = (source[name] for name in _usual(tuple(source), role))
    return next((value for value in values if value is not None and value != ""), None)


@lru_cache(maxsize=1 << 12)  # the rows of a log have few sets of names: 5 times faster
def _usual(names: tuple[str, ...], role: str) -> tuple[str, ...]:
    """The names that are usual for a role, in the order of preference."""
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(plain(name), []).append(name)
    return tuple(name for usual in NAMES[role] for name in known.get(usual, ()))


def count(value: Json) -> int | None:
    """A number of tokens, or None for what is none."""
    number = amount(value)
    return int(number) if number is not None and number == int(number) else None


def amount(value: Json) -> Decimal | None:
    """A finite amount that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip().lstrip("$¥￥€").replace(",", ""))
    except (InvalidOperation, ValueError):
        return None
    # 1e18 tokens or coins are a slip of the pen, and Decimal('1e999999') would never end.
    return number if number.is_finite() and 0 <= number < 10**18 else None


_SHAPES = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y %H:%M:%S",
    "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%a, %d %b %Y %H:%M:%S %Z",
)  # fmt: skip


def moment(value: Json) -> datetime | None:
    """A time from an epoch (s, ms, us or ns) or from text; without a zone it is UTC."""
    number = amount(value)
    found = None if number is None else _epoch(float(number))
    if found is None and isinstance(value, str) and 8 <= len(value) <= 64:
        found = _written(value.strip())
    if found is None:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _written(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    by_year = text[:4].isdigit()
    likely = (s for s in _SHAPES if s[2] in text and s.startswith("%Y") == by_year)
    return next((found for shape in likely if (found := _parse(text, shape))), None)


def _epoch(number: float) -> datetime | None:
    for unit in (1.0, 1e3, 1e6, 1e9):
        if 1e8 <= number / unit < 1e10:  # 1973 to 2286
            return datetime.fromtimestamp(number / unit, UTC)
    return None


def _parse(text: str, shape: str) -> datetime | None:
    try:
        return datetime.strptime(text, shape)
    except ValueError:
        return None
