"""The journal for other programs: CSV, beancount, and the columns of FinOps FOCUS 1.2.

Each writes as it reads, a line at a time. A posting whose price is unknown has no amount:
CSV leaves the cell empty, beancount gets a note, and FOCUS, which allows no missing cost,
leaves the row out; how many were left out is returned.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TextIO

from feilun.records import Posting, Price, digest

Journal = Callable[[], Iterable[Posting]]
"""Gives all postings, each time anew."""

CSV_COLUMNS = (
    "id", "at", "task", "debit", "credit", "amount", "currency", "quantity", "unit", "cause",
    "price",
)  # fmt: skip

_KINDS = {
    "expense": "Expenses",
    "payable": "Liabilities:Payable",
    "receivable": "Assets:Receivable",
    "income": "Income",
    "memo": "Equity:Memo",
}

FOCUS_MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
    "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
)  # fmt: skip
"""The columns that every FOCUS 1.2 data set of cost and usage must have."""

FOCUS_COLUMNS = (
    *FOCUS_MANDATORY, "ConsumedQuantity", "ConsumedUnit", "ListUnitPrice", "SkuId",
    "SkuPriceId", "Tags", "x_Cause", "x_PriceSource",
)  # fmt: skip


def to_csv(journal: Journal, out: TextIO) -> int:
    """A row per posting, amounts exact. Returns how many amounts are unknown."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    unknown = 0
    for row in journal():
        cells = {name: getattr(row, name) for name in CSV_COLUMNS}
        cells |= {"at": row.at.isoformat(), "quantity": _plain(row.quantity)}
        cells["amount"] = None if row.amount is None else _plain(row.amount)
        writer.writerow([_cell(cell) for cell in cells.values()])
        unknown += row.amount is None
    return unknown


def to_beancount(journal: Journal, out: TextIO) -> int:
    """A transaction per posting. Returns how many amounts are unknown: those are notes."""
    names: dict[str, str] = {}
    first: date | None = None
    currencies: set[str] = set()
    for row in journal():
        first = min(first or row.at.date(), row.at.date())
        currencies.add(row.currency)
        for account in (row.debit, row.credit):
            names.setdefault(account, beancount_name(account))
    out.write('option "title" "Feilun"\n')
    out.writelines(f'option "operating_currency" "{each}"\n' for each in sorted(currencies))
    out.writelines(f"{first} open {names[account]}\n" for account in sorted(names))
    unknown = 0
    for row in journal():
        out.writelines(_transaction(row, names))
        unknown += row.amount is None
    return unknown


def to_focus(journal: Journal, prices: Mapping[str, Price], out: TextIO) -> int:
    """A row per cost, in FOCUS columns. Returns how many were left out for want of a price."""
    writer = csv.DictWriter(out, FOCUS_COLUMNS, lineterminator="\n")
    writer.writeheader()
    unknown = 0
    for row in journal():
        if row.debit.startswith("expense:") or row.credit.startswith("expense:"):
            if row.amount is None:
                unknown += 1
                continue
            writer.writerow(_focus(row, row.amount, prices.get(row.price or "")))
    return unknown


def beancount_name(account: str) -> str:
    """The account as beancount writes it. What that cannot hold is replaced, and a hash of
    the name keeps two accounts apart."""
    kind, _, rest = account.partition(":")
    parts = [re.sub(r"[^A-Za-z0-9-]", "-", part) or "-" for part in rest.split(":")]
    name = ":".join(_capital(part) for part in parts)
    mark = "" if name.casefold() == rest else f"-{digest(account.encode())[:6]}"
    return f"{_KINDS.get(kind, 'Equity:Other')}:{name}{mark}"


def _capital(part: str) -> str:
    return part[0].upper() + part[1:] if part[0].isalnum() else f"X{part}"


def _transaction(row: Posting, names: Mapping[str, str]) -> Iterator[str]:
    day = row.at.date()
    if row.amount is None:
        what = _text(f"unknown price of {row.quantity:f} {row.unit}, {row.cause}")
        yield f"\n{day} note {names[row.debit]} {what}\n"
        return
    yield f"\n{day} * {_text(row.task)} {_text(row.cause)}\n"
    yield f'  id: "{row.id}"\n  quantity: {row.quantity:f}\n  unit: {_text(row.unit)}\n'
    yield f"  {names[row.debit]}  {row.amount:f} {row.currency}\n"
    yield f"  {names[row.credit]}  {-row.amount:f} {row.currency}\n"


def _text(words: str) -> str:
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", words)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _focus(row: Posting, amount: Decimal, price: Price | None) -> dict[str, str]:
    adds = row.debit.startswith("expense:")  # a correction may take back
    account = row.debit if adds else row.credit
    other = row.credit if adds else row.debit
    cost = _plain(amount if adds else -amount)
    day = row.at.date()
    month = day.replace(day=1)
    corrects = account.startswith("expense:correction")
    cells = {
        "BilledCost": cost,
        "BillingAccountId": other,
        "BillingCurrency": row.currency,
        "BillingPeriodStart": _moment(month),
        "BillingPeriodEnd": _moment((month + timedelta(days=32)).replace(day=1)),
        "ChargeCategory": "Adjustment" if corrects else "Usage",
        "ChargeClass": "Correction" if corrects else "",
        "ChargeDescription": f"{account} for {row.task}",
        "ChargePeriodStart": _moment(day),
        "ChargePeriodEnd": _moment(day + timedelta(days=1)),
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": other.partition(":")[2],
        "ListCost": cost,
        "ProviderName": other.partition(":")[2],
        "PublisherName": other.partition(":")[2],
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": account.partition(":")[2],
        "Tags": json.dumps({"task": row.task}, ensure_ascii=False),
        "x_Cause": row.cause,
    }
    if price is not None:
        cells |= {
            "PricingQuantity": _plain(row.quantity),
            "PricingUnit": row.unit,
            "ConsumedQuantity": _plain(row.quantity),
            "ConsumedUnit": row.unit,
            "ListUnitPrice": _plain(price.amount),
            "SkuId": price.item,
            "SkuPriceId": price.id,
            "x_PriceSource": price.source,
        }
    return {name: _cell(cells.get(name, "")) for name in FOCUS_COLUMNS}


def _cell(value: str | None) -> str:
    """A spreadsheet runs what begins like a formula: names come from requests."""
    text = "" if value is None else str(value)
    return f"'{text}" if re.match(r"[=@\t\r]|[+-](?![\d.])", text) else text


def _plain(number: Decimal) -> str:
    return f"{number:f}"


def _moment(day: date) -> str:
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
