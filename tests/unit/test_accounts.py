"""What the journal says: by whom, what a day avoided and idled, and for other programs."""

import csv
import io
import json
import shutil
import subprocess
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from kiosk_log import PRICES, Stand, a_call, a_correction, an_audit, at, opened, said

from feilun.errors import InputError
from feilun.house import House
from feilun.house.accounts import By, Form
from feilun.ledger import NOBODY, WHEEL, Account, Estimate
from feilun.ledger.economics import economics
from feilun.ledger.export import FOCUS_MANDATORY, beancount_name
from feilun.records import RAW, Candidate, Ended, Json, Key, Posting, Record, Scope
from feilun.testing import FakeBook, FakeClock, FakeTrainer, MemoryStore
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify
from feilun.watch import Risk

TEACHERS = {"tokens_in": 100, "tokens_out": 5}  # 0.06 at these prices
TOMORROW = at(24 * 60)


def a_house(*records: Record, prices: dict[str, str] | None = None, **more: Json) -> House:
    book = FakeBook(PRICES if prices is None else prices)
    house = House(
        MemoryStore(), book=book, clock=FakeClock(TOMORROW), trainer=FakeTrainer(), **more
    )
    house.keep(*records)
    return house


def a_key(id: str, name: str, team: str | None, version: int = 0) -> Key:
    return Key(
        id=f"{id} {version}", task="*", at=at(version), key=id, name=name, digest="0" * 64,
        last4="abcd", scopes=(Scope.CALL,), team=team, app="shop",
    )  # fmt: skip


def by(house: House, what: By) -> dict[str, tuple[int, Decimal]]:
    return {row.name: (row.calls, row.cost) for row in house.accounts.statement(what)}


# By whom


def test_money_is_told_apart_by_team_key_and_app_even_where_calls_were_posted_together() -> None:
    raw = [
        a_call(f"{n}", n, **TEACHERS).model_copy(
            update={"task": RAW, "variant": "wise", "key": ("a", "b", "c", None)[n % 4]}
        )
        for n in range(8)
    ]
    prices = {"model:wise:input_token": "0.01", "model:wise:output_token": "0.2"}
    house = a_house(*raw, prices=prices)
    house.store.append(
        a_key("a", "web", "sales"), a_key("b", "bot", "sales"), a_key("c", "cron", None)
    )
    assert by(house, By.TEAM) == {"sales": (4, Decimal(8)), NOBODY: (4, Decimal(8))}
    assert by(house, By.KEY)["web"] == (2, Decimal(4))
    assert by(house, By.APP) == {"shop": (6, Decimal(12)), NOBODY: (2, Decimal(4))}
    assert by(house, By.MODEL) == {"wise": (8, Decimal(16))}
    assert by(house, By.TASK) == {RAW: (8, Decimal(16))}


def test_a_key_that_got_a_team_later_gives_it_its_earlier_calls() -> None:
    house = a_house(a_call("1", key="a", **TEACHERS))
    house.store.append(a_key("a", "web", None), a_key("a", "web", "sales", 1))
    assert set(by(house, By.TEAM)) == {"sales"}


def test_what_no_caller_asked_for_is_the_wheels() -> None:
    house = a_house(a_call("1", **TEACHERS), an_audit("1"), a_correction("1", "fruit"))
    assert by(house, By.KEY) == {NOBODY: (1, Decimal("0.06")), WHEEL: (0, Decimal("0.03"))}


def test_days_bound_what_is_told() -> None:
    house = a_house(a_call("1", **TEACHERS), a_call("2", 24 * 60, **TEACHERS))
    first = house.accounts.statement(By.TASK, until=date(2026, 3, 1))
    second = house.accounts.statement(By.TASK, since=date(2026, 3, 2), until=date(2026, 3, 2))
    assert [row.calls for row in (*first, *second)] == [1, 1]
    assert house.accounts.statement(By.TASK, since=date(2026, 3, 3)) == []


def test_a_leg_that_lost_a_race_is_paid_for_and_is_no_answer() -> None:
    lost = a_call("2", ended=Ended.OVERTAKEN, seconds=1.0)
    house = a_house(a_call("1", **TEACHERS), lost, prices={**PRICES, "teacher:second": "0.5"})
    (row,) = house.accounts.statement()
    assert (row.calls, row.cost) == (1, Decimal("0.56"))


def test_an_unknown_price_is_named_and_leaves_no_margin() -> None:
    house = a_house(a_call("1", **TEACHERS), an_audit("1", by="teacher"))
    (row,) = house.accounts.statement()
    assert dict(row.unknown) == {"audit:teacher": 1}
    assert (row.margin, row.cost) == (None, Decimal("0.06"))


# Revenue, audits by a model, and what it comes to


def test_what_people_accept_and_what_comes_of_it_is_income_where_the_book_sells_it() -> None:
    outcome = said("1", "outcome").model_copy(update={"value": 2.5})
    prices = {**PRICES, "revenue:accepted": "0.5", "revenue:outcome": "0.1"}
    events = (a_call("1", **TEACHERS), said("1", "accepted"), said("1", "rejected"), outcome)
    (row,) = a_house(*events, prices=prices).accounts.statement()
    assert row.income == Decimal("0.75")
    assert row.margin == Decimal("0.69")
    (unsold,) = a_house(*events).accounts.statement()
    assert (unsold.income, unsold.unknown) == (0, {})


def test_an_audit_by_a_model_costs_the_tokens_that_it_took() -> None:
    took = {"variant": "wise", "tokens_in": 10, "tokens_cached": 4, "tokens_out": 2}
    audit = an_audit("1", by="teacher").model_copy(update=took)
    prices = {"model:wise:input_token": "1", "model:wise:cached_token": "0.5",
              "model:wise:output_token": "3"}  # fmt: skip
    house = a_house(a_call("1"), audit, prices={**PRICES, "teacher:second": "0", **prices})
    (row,) = house.accounts.statement()
    assert row.spent["audit"] == 6 + 2 + 6
    assert by(house, By.MODEL)["wise"] == (0, Decimal(14))


def test_an_audit_by_a_local_model_costs_its_seconds() -> None:
    took = {"variant": "local", "seconds": 1.5}
    audit = an_audit("1", by="teacher").model_copy(update=took)
    house = a_house(audit, prices={"model:local:second": "2"})
    assert house.accounts.balances()["expense:audit"].amount == 3


def test_a_result_costs_all_that_was_spent_by_what_audits_let_hope_for() -> None:
    account = Account("t", calls=100, served=50)
    account.spent |= {"teacher": Decimal(6), "training": Decimal(2), "audit": Decimal(1)}
    account.spent["student"] = Decimal(1)
    found = economics(account, Decimal("0.12"), Risk(0.2, 0.1, 0.5, 30), 7, 3)
    assert found.accepted == Estimate(Decimal(80), Decimal(50), Decimal(90))
    assert found.cost_per_accepted == Estimate(Decimal("0.125"), Decimal(10) / 90, Decimal("0.2"))
    assert (found.said_accepted, found.said_rejected) == (7, 3)
    assert found.break_even == 30  # 3 spent to serve, 0.12 - 0.02 saved by each call


def test_nothing_is_claimed_without_audits_or_beside_an_unknown_price() -> None:
    account = Account("t", calls=100, served=50)
    assert economics(account, Decimal(1), None, 0, 0).cost_per_accepted is None
    account.unknown["student:second"] = 1
    found = economics(account, Decimal(1), Risk(0.2, 0.1, 0.5, 30), 0, 0)
    assert (found.cost_per_accepted, found.break_even) == (None, None)


# Closing a day


def test_a_day_is_closed_with_what_its_served_calls_avoided_and_how_that_is_known() -> None:
    calls = [a_call("1", **TEACHERS), a_call("2", tokens_in=200, tokens_out=10)]
    served = [a_call(f"s{n}", n, by="student") for n in range(4)]
    house = a_house(*calls, *served)
    (row,) = house.accounts.close()
    assert (row.debit, row.credit) == ("memo:avoided", "memo:teacher")
    assert (row.quantity, row.amount) == (4, Decimal("0.36"))
    assert row.cause.endswith("mean of 2 teacher calls of 2026-03-01")
    (account,) = house.accounts.statement()
    assert (account.avoided, account.cost) == (Decimal("0.36"), Decimal("0.18"))


def test_a_day_without_teacher_calls_takes_the_last_known_day_and_says_so() -> None:
    house = a_house(a_call("1", **TEACHERS), a_call("2", 24 * 60, by="student"))
    house.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    (row,) = house.accounts.close()
    assert row.amount == Decimal("0.06")
    assert row.cause.endswith("of 2026-03-01")


def test_where_no_teacher_call_has_a_known_cost_the_estimate_is_unknown() -> None:
    (row,) = a_house(a_call("1", **TEACHERS), a_call("2", by="student"), prices={}).accounts.close()
    assert (row.amount, row.quantity) == (None, 1)


def test_a_day_that_is_not_over_cannot_be_closed() -> None:
    house = a_house(a_call("1", by="student"))
    with pytest.raises(InputError, match="2026-03-02 is not over"):
        house.accounts.close(date(2026, 3, 2))


def test_a_device_costs_the_seconds_of_the_day_in_which_nothing_used_it() -> None:
    call = a_call("1", device="gpu", seconds=400.0, **TEACHERS)
    trained = Candidate(
        id="c", task=KIOSK.task, at=at(1), dataset="d", trainer="fake", params={}, artefact="",
        examples=1, expected=(), seconds=1000.0, device="gpu",
    )  # fmt: skip
    house = a_house(call, trained, prices={**PRICES, "device:gpu:second": "0.001"})
    (row,) = house.accounts.close(date(2026, 3, 1))
    assert (row.debit, row.task) == ("expense:idle", "*")
    assert (row.quantity, row.amount) == (85_000, Decimal(85))
    assert house.accounts.close() == []
    assert [check.problem for check in verify(house) if check.problem] == []


def test_a_closing_that_was_prettied_is_named() -> None:
    house = a_house(a_call("1", **TEACHERS), a_call("2", by="student"))
    house.accounts.close()
    forged = MemoryStore()
    kinds = {type(r) for r in house.store.read(Posting)}
    assert kinds == {Posting}
    for record in stored(house):
        pretty = isinstance(record, Posting) and record.debit == "memo:avoided"
        forged.append(record.model_copy(update={"amount": Decimal(9)}) if pretty else record)
    other = House(forged, book=FakeBook(PRICES), clock=FakeClock(TOMORROW), trainer=FakeTrainer())
    (problem,) = [check for check in verify(other) if check.problem]
    assert problem.kind == "posting"
    assert "closings of 2026-03-01: stored" in (problem.problem or "")


def stored(house: House) -> list[Record]:
    from feilun.records import KINDS

    return [record for kind in KINDS.values() for record in house.store.read(kind)]


def test_a_call_without_its_posting_is_named() -> None:
    house = a_house(a_call("1", **TEACHERS))
    house.store.append(a_call("2", **TEACHERS), an_audit("1", id="unpaid"))
    found = [check.problem for check in verify(house) if check.problem]
    assert found == [
        "call 2 took something, and no posting says so", "audit unpaid has no posting",
    ]  # fmt: skip


# Export


@pytest.fixture(scope="module")
def lived() -> Stand:
    stand = opened()
    stand.serve(30)
    stand.clock.advance(timedelta(days=1))
    raw = a_call("r", **TEACHERS).model_copy(
        update={"task": RAW, "variant": '=cmd|"x"\n:8b', "at": stand.clock.now()}
    )
    stand.house.keep(raw)
    stand.clock.advance(timedelta(days=1))
    stand.house.accounts.close()
    return stand


def exported(stand: Stand, form: Form) -> tuple[str, int]:
    out = io.StringIO()
    unknown = stand.house.accounts.export(form, out)
    return out.getvalue(), unknown


def test_csv_holds_every_posting_and_every_digit(lived: Stand) -> None:
    text, unknown = exported(lived, Form.CSV)
    rows = list(csv.DictReader(io.StringIO(text)))
    postings = list(lived.store.read(Posting))
    assert [row["id"] for row in rows] == [posting.id for posting in postings]
    assert [row["amount"] for row in rows if not row["amount"]] == [""] * unknown == ["", ""]
    assert sum(Decimal(row["amount"] or 0) for row in rows) == sum(p.amount or 0 for p in postings)
    assert "E" not in "".join(row["amount"] for row in rows)


def test_focus_has_every_mandatory_column_and_says_each_cost_once(lived: Stand) -> None:
    text, unknown = exported(lived, Form.FOCUS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert set(FOCUS_MANDATORY) <= set(rows[0])
    spent = [p.amount for p in lived.store.read(Posting) if p.debit.startswith("expense:")]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == sum(amount or 0 for amount in spent)
    assert len(rows) == len(spent) - unknown
    for row in rows:
        assert all(row[name] for name in FOCUS_MANDATORY
                   if name not in ("BillingAccountName", "ChargeClass"))  # fmt: skip
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert Decimal(row["PricingQuantity"]) * Decimal(row["ListUnitPrice"]) == Decimal(
            row["ListCost"]
        )
        assert json.loads(row["Tags"])["task"]


def test_no_cell_begins_as_a_formula_would(lived: Stand) -> None:
    for form in (Form.CSV, Form.FOCUS):
        for row in csv.reader(io.StringIO(exported(lived, form)[0])):
            assert not [cell for cell in row if cell[:1] in ("=", "@", "\t", "\r")]


def test_beancount_opens_every_account_and_balances_every_transaction(lived: Stand) -> None:
    text, unknown = exported(lived, Form.BEANCOUNT)
    lines = text.splitlines()
    opened = {line.split()[2] for line in lines if " open " in line}
    legs = [line.split() for line in lines if line.endswith(" CNY")]
    assert {account for account, _, _ in legs} <= opened
    for (_, one, _), (_, other, _) in zip(legs[::2], legs[1::2], strict=True):
        assert Decimal(one) + Decimal(other) == 0
    assert sum(" note " in line for line in lines) == unknown
    assert len(legs) == 2 * (len(list(lived.store.read(Posting))) - unknown)


def test_two_accounts_never_share_a_name_in_beancount() -> None:
    names = ["expense:model:wise:8b", "expense:model:wise-8b", "expense:model:Wise-8b",
             "expense:model:智者", "expense:model:=cmd", "expense:teacher"]  # fmt: skip
    assert len({beancount_name(name) for name in names}) == len(names)
    assert beancount_name("expense:teacher") == "Expenses:Teacher"
    assert beancount_name("payable:model:gpt-4o") == "Liabilities:Payable:Model:Gpt-4o"


BEAN_CHECK = shutil.which("bean-check")


@pytest.mark.skipif(BEAN_CHECK is None, reason="beancount is not installed: pip install beancount")
def test_beancounts_own_check_finds_nothing_wrong(lived: Stand, tmp_path: Path) -> None:
    file = tmp_path / "books.beancount"
    file.write_text(exported(lived, Form.BEANCOUNT)[0], encoding="utf-8")
    found = subprocess.run([str(BEAN_CHECK), str(file)], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
