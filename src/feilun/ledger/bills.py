"""Reading a provider's bill: a table of what was used on which day and what that costs.

Columns are found by their names, in English or Chinese, so one reader serves the exports of
many providers. Two it also reads as their cost APIs answer, in JSON. What a provider's own
documents say of these forms is in `docs/how-to/reconcile-a-bill.md`.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from feilun.errors import InputError
from feilun.records import Bill, BillLine, Instant, Json, content_id, digest

PROVIDERS = {"openai": "USD", "anthropic": "USD", "generic": None}
"""Whose exports are known, and the currency where they name none."""

_LARGEST = 32 * 1024 * 1024
_MOST_LINES = 50_000

_COLUMNS = {
    "day": "date day usage_date usage_date_utc start_time_iso start_time starting_at 日期 账期 "
           "消费日期 使用日期 计费日期",
    "model": "model model_name model_version 模型 模型名称",
    "item": "item line_item token_type usage_type type sku description 计费项 用量类型 项目 类型 "
            "计费类型",
    "quantity": "quantity usage tokens token_count units 用量 数量 消费量",
    "unit": "unit usage_unit 单位 用量单位",
    "amount": "amount cost cost_usd amount_value total 金额 费用 应付金额 消费金额",
    "currency": "currency amount_currency 币种 货币",
}  # fmt: skip
_UNITS = {"": 1, "token": 1, "tokens": 1, "second": 1, "seconds": 1, "个": 1, "秒": 1, "次": 1,
          "1k tokens": 1000, "k tokens": 1000, "ktokens": 1000, "千tokens": 1000,
          "千token": 1000, "1m tokens": 10**6, "m tokens": 10**6, "mtokens": 10**6,
          "百万tokens": 10**6, "百万token": 10**6, "万tokens": 10_000}  # fmt: skip
_CURRENCIES = {"人民币": "CNY", "元": "CNY", "¥": "CNY", "美元": "USD", "$": "USD"}


class _Row(NamedTuple):
    """One line, and where it stands."""

    place: str
    cells: Mapping[str, str]


class _Read(NamedTuple):
    line: BillLine
    first: date
    last: date
    currency: str


def read_bill(path: Path, provider: str, names: Mapping[str, str], at: Instant) -> Bill:
    """The bill in a file. Raises InputError naming the line that is not one.

    Its id follows from the file, the provider and `names` (theirs to ours).
    """
    if provider not in PROVIDERS:
        raise InputError(f"{provider!r} is no known provider: {', '.join(PROVIDERS)}.")
    raw = _bytes(path)
    is_json = raw.lstrip().startswith((b"{", b"["))
    rows = _json_rows(path, raw, provider) if is_json else _csv_rows(path, raw)
    read = [_line(row, provider) for row in rows if _is_charge(row)]
    currencies = sorted({each.currency for each in read})
    if len(currencies) != 1:
        what = f"several currencies ({', '.join(currencies)})" if currencies else "no charges"
        raise InputError(f"{path}: this bill has {what}. Give one bill with one currency.")
    return Bill(
        id=content_id([provider, digest(raw), dict(names)]),
        task="*",
        at=at,
        provider=provider,
        first=min(each.first for each in read),
        last=max(each.last for each in read),
        currency=currencies[0],
        lines=tuple(each.line for each in read),
        total=sum((each.line.amount for each in read), Decimal(0)),
        digest=digest(raw),
        names=dict(names),
    )


def item_of(words: str) -> str:
    """The ledger's name of what a line is for; the provider's own words where it has none."""
    text = words.casefold()
    if any(part in text for part in ("write", "creation", "写入", "创建")):
        return words  # keeping a prompt in a cache is nothing that the ledger posts
    if any(part in text for part in ("uncached", "no_cache", "no cache", "miss", "未命中")):
        return "input_token"
    if "cach" in text or "缓存" in text:
        return "cached_token"
    if any(part in text for part in ("output", "completion", "response", "输出")):
        return "output_token"
    if any(part in text for part in ("input", "prompt", "输入")):
        return "input_token"
    return "second" if text in ("second", "seconds", "秒") else words


# Forms


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(raw) > _LARGEST:
        raise InputError(f"{path}: is larger than 32 MiB. Export the bill by day, not by request.")
    return raw


def _csv_rows(path: Path, raw: bytes) -> Iterator[_Row]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", errors="replace")  # as Chinese consoles export
    head = text.partition("\n")[0]
    comma = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma)
    try:
        columns = _columns(path, next(reader, []))
        for cells in reader:
            if reader.line_num > _MOST_LINES:
                raise InputError(f"{path}: has over {_MOST_LINES:,} lines. Export it by day.")
            found = {name: cells[n].strip() for name, n in columns.items() if n < len(cells)}
            yield _Row(f"{path}: line {reader.line_num}", found)
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}.") from error


def _columns(path: Path, head: list[str]) -> dict[str, int]:
    plain = [re.sub(r"[\s(（].*$|\ufeff", "", cell.strip().casefold()) for cell in head]
    found: dict[str, int] = {}
    for name, words in _COLUMNS.items():
        for word in words.split():
            if word in plain and name not in found:
                found[name] = plain.index(word)
    for needed in ("day", "amount"):
        if needed not in found:
            raise InputError(
                f"{path}: no column says the {needed}: one is to be called "
                f"{' or '.join(_COLUMNS[needed].split()[:3])}. There are: {', '.join(head)[:200]}."
            )
    return found


def _json_rows(path: Path, raw: bytes, provider: str) -> Iterator[_Row]:
    """Pages of the cost API, one or a list of them: buckets of a day, with results."""
    try:
        said = json.loads(raw, parse_float=str)
        for page in said if isinstance(said, list) else [said]:
            for number, bucket in enumerate(page["data"], start=1):
                day = str(bucket.get("starting_at") or bucket["start_time"])
                for result in bucket["results"]:
                    yield _Row(f"{path}: bucket {number}", _result(result, day, provider))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no answer of a cost API: data, each with a start and results."
        ) from error


def _result(result: dict[str, Json], day: str, provider: str) -> dict[str, str]:
    amount = result["amount"]
    cents = provider == "anthropic"  # in the lowest unit of the currency, as text
    value = amount["value"] if isinstance(amount, dict) else amount
    currency = amount.get("currency") if isinstance(amount, dict) else result.get("currency")
    cells = {
        "day": day,
        "amount": str(Decimal(str(value)) / 100 if cents else value),
        "currency": currency,
        "model": result.get("model"),
        "item": result.get("token_type") or result.get("line_item") or result.get("description"),
        "quantity": result.get("quantity"),
    }
    return {name: str(cell) for name, cell in cells.items() if cell is not None}


# Lines


def _is_charge(row: _Row) -> bool:
    """Days without use are written as lines without an amount."""
    return bool(row.cells.get("amount"))


def _line(row: _Row, provider: str) -> _Read:
    cells = row.cells
    first, last = _days(row)
    model, item = cells.get("model", ""), cells.get("item", "")
    if provider == "openai" and not model:
        model, _, item = (part.strip() for part in item.partition(","))
    if not model and item_of(item) != item:
        raise InputError(f"{row.place}: says how many tokens, and not of which model.")
    try:
        line = BillLine(
            model=model,
            item=item_of(item),
            quantity=_quantity(row),
            amount=_number(row, "amount"),
            day=first if first == last else None,
        )
    except ValidationError as error:
        raise InputError(
            f"{row.place}: is no line of a bill: {error.errors()[0]['msg']}."
        ) from error
    return _Read(line, first, last, _currency(row, provider))


def _days(row: _Row) -> tuple[date, date]:
    """A day, or the first and last day of a month."""
    text = row.cells.get("day", "")
    if month := re.fullmatch(r"(\d{4})[-/年]?(\d{2})月?", text):
        year, number = int(month[1]), int(month[2])
        try:
            first = date(year, number, 1)
        except ValueError as error:
            raise _no_day(row, text) from error
        return first, date.fromordinal(
            date(year + number // 12, number % 12 + 1, 1).toordinal() - 1
        )
    try:
        if re.fullmatch(r"\d{9,11}", text):
            day = datetime.fromtimestamp(int(text), UTC).date()
        else:
            day = datetime.fromisoformat(text.replace("/", "-")).date()
    except (ValueError, OverflowError, OSError) as error:
        raise _no_day(row, text) from error
    return day, day


def _no_day(row: _Row, text: str) -> InputError:
    return InputError(f"{row.place}: {text[:40]!r} is no day: write it as 2026-03-01 or 2026-03.")


def _quantity(row: _Row) -> Decimal | None:
    if not row.cells.get("quantity"):
        return None
    unit = row.cells.get("unit", "").casefold()
    if unit not in _UNITS:
        raise InputError(f"{row.place}: unknown unit {unit[:40]!r}: token, 1k tokens, 1M tokens.")
    return _number(row, "quantity") * _UNITS[unit]


def _number(row: _Row, name: str) -> Decimal:
    text = re.sub(r"[,\s¥$]", "", row.cells[name])
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise InputError(f"{row.place}: {name} {text[:40]!r} is no number.") from error
    if not found.is_finite() or abs(found.adjusted()) > 18:
        raise InputError(f"{row.place}: {name} {text[:40]!r} is no number that a bill would have.")
    return found


def _currency(row: _Row, provider: str) -> str:
    text = row.cells.get("currency", "").strip()
    found = _CURRENCIES.get(text, text.upper()) or PROVIDERS[provider]
    if found is None or not re.fullmatch("[A-Z]{3}", found):
        raise InputError(
            f"{row.place}: no currency: a column called currency (币种) says it, as in CNY."
        )
    return found


def of_model(theirs: str, names: Mapping[str, str], known: Iterable[str]) -> str | None:
    """Our name of a provider's model: as mapped, the same, or without prefix and date."""
    ours = set(known)
    bare = theirs.rpartition("/")[2]
    undated = re.sub(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|latest)$", "", bare)
    found = (names.get(theirs), theirs, bare, undated)
    return next((name for name in found if name is not None and name in ours), names.get(theirs))
