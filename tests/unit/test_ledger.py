"""Money: what things cost, what is unknown, and the day a turn has paid for itself."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from kiosk_log import PRICES, Stand, a_call, a_correction, an_audit, at, opened, said

from feilun.errors import InputError
from feilun.ledger import (
    ITEMS,
    Payback,
    TomlBook,
    cost,
    cost_of,
    payback,
    postings,
)
from feilun.records import RAW, Call, Candidate, Json, Money, Posting, Price
from feilun.testing import FakeBook
from feilun.testing.kiosk import KIOSK
from feilun.wiring import PRICES as SHIPPED

BOOK = FakeBook(PRICES)
TEACHERS = {"tokens_in": 100, "tokens_out": 5, "seconds": 1.5}


def amounts(postings: list[Posting]) -> dict[str, Decimal | None]:
    return {posting.unit + " " + posting.debit: posting.amount for posting in postings}


# Postings


def test_a_teachers_call_costs_its_tokens() -> None:
    posted = list(postings([a_call("1", **TEACHERS)], BOOK))
    assert [posting.amount for posting in posted] == [Decimal("0.05"), Decimal("0.01")]
    assert {posting.debit for posting in posted} == {"expense:teacher"}
    assert {posting.cause for posting in posted} == {"call:1"}


def test_cached_tokens_are_billed_at_their_own_price() -> None:
    book = FakeBook({**PRICES, "teacher:cached_token": "0.0001"})
    posted = list(postings([a_call("1", **TEACHERS, tokens_cached=80)], book))
    assert [posting.quantity for posting in posted] == [20, 80, 5]
    assert sum(posting.amount or 0 for posting in posted) == Decimal("0.028")


def test_a_tariff_without_a_price_for_the_cache_bills_cached_tokens_in_full() -> None:
    posted = list(postings([a_call("1", **TEACHERS, tokens_cached=80)], BOOK))
    assert [posting.quantity for posting in posted] == [100, 5]


def test_an_engine_that_counts_no_tokens_is_billed_by_the_second_without_the_students() -> None:
    book = FakeBook({"teacher:second": "0.002"})
    posted = list(postings([a_call("1", seconds=1.5, student_seconds=0.5)], book))
    assert posted[0].quantity == 1
    assert posted[0].amount == Decimal("0.002")


def test_a_students_call_costs_its_seconds_and_no_teacher() -> None:
    posted = list(postings([a_call("1", by="student", student_seconds=0.001)], BOOK))
    assert [(p.debit, p.amount) for p in posted] == [("expense:student", Decimal("0.0000001"))]


def test_a_call_that_the_student_passed_on_costs_both() -> None:
    posted = list(postings([a_call("1", **TEACHERS, student_seconds=0.001)], BOOK))
    assert {posting.debit for posting in posted} == {"expense:teacher", "expense:student"}


def test_an_audit_a_correction_and_a_training_cost_what_the_book_says() -> None:
    candidate = Candidate(
        id="c", task=KIOSK.task, at=at(0), dataset="d", trainer="fake", params={}, artefact="",
        examples=1, expected=(), seconds=2.5, device="cpu",
    )  # fmt: skip
    (audit,) = postings([an_audit("1")], BOOK)
    assert audit.amount == Decimal("0.02")
    (correction,) = postings([a_correction("1", "fruit")], BOOK)
    assert correction.amount == Decimal("0.01")
    (training,) = postings([candidate], BOOK)
    assert training.amount == Decimal("0.00025")


def test_an_acceptance_costs_nothing() -> None:
    assert list(postings([said("1", "accepted")], BOOK)) == []


def test_an_unknown_price_is_an_unknown_amount_of_a_known_quantity() -> None:
    (posted,) = postings([an_audit("1", by="teacher")], BOOK)
    assert (posted.amount, posted.price, posted.quantity) == (None, None, 1)


def test_a_posting_takes_from_one_account_what_it_gives_to_another() -> None:
    for posting in postings([a_call("1", **TEACHERS)], BOOK):
        assert posting.debit == "expense:teacher"
        assert posting.credit == "payable:teacher"


WISE = {"model:wise:8b:input_token": "0.001", "model:wise:8b:output_token": "0.01"}


def a_raw_call(id: str, minutes: float = 0, **more: Json) -> Call:
    facts = {"task": RAW, "variant": "wise:8b", **TEACHERS, **more}
    return a_call(id, minutes).model_copy(update=facts)


def test_raw_calls_that_are_kept_together_are_posted_together() -> None:
    posted = list(postings([a_raw_call(f"{n}", n) for n in range(20)], FakeBook(WISE)))
    assert [(p.quantity, p.amount) for p in posted] == [(2000, Decimal(2)), (100, Decimal(1))]
    assert {p.debit for p in posted} == {"expense:model:wise:8b"}
    assert {p.task for p in posted} == {RAW}
    assert {p.at for p in posted} == {at(19)}
    (cause,) = {p.cause for p in posted}
    assert cause.startswith("calls:20:")


def test_raw_calls_of_two_days_are_posted_at_the_prices_of_each() -> None:
    changed = {day(1): "0.001", day(2): "0.002"}
    book = FakeBook({**WISE, "model:wise:8b:input_token": changed})
    posted = list(postings([a_raw_call("1"), a_raw_call("2", 24 * 60)], book))
    assert [p.amount for p in posted if p.quantity == 100] == [Decimal("0.1"), Decimal("0.2")]
    assert {p.cause for p in posted} == {"call:1", "call:2"}


def day(number: int) -> date:
    return date(2026, 3, number)


def test_a_raw_call_of_a_model_without_a_price_costs_an_unknown_amount() -> None:
    posted = list(postings([a_raw_call("1")], BOOK))  # the teacher's prices are not its own
    assert [(p.quantity, p.amount, p.price) for p in posted] == [(100, None, None), (5, None, None)]
    assert cost_of(a_raw_call("1"), BOOK) is None


def test_a_call_that_did_not_end_whole_still_costs() -> None:
    posted = list(postings([a_raw_call("1", ended="client_left")], FakeBook(WISE)))
    assert sum(p.amount or 0 for p in posted) == Decimal("0.15")


def test_a_tasks_call_is_billed_at_its_models_own_price_where_it_has_one() -> None:
    call = a_call("1", **TEACHERS).model_copy(update={"variant": "wise:8b"})
    posted = list(postings([call], FakeBook({**PRICES, **WISE})))
    assert [p.amount for p in posted] == [Decimal("0.1"), Decimal("0.05")]
    assert {(p.debit, p.cause) for p in posted} == {("expense:teacher", "call:1")}
    assert cost_of(call, FakeBook({**PRICES, **WISE})) == Money(
        amount=Decimal("0.15"), currency="CNY"
    )


def test_a_model_with_half_a_tariff_borrows_nothing_from_the_teachers() -> None:
    book = FakeBook({**PRICES, "model:wise:8b:input_token": "0.001"})
    call = a_call("1", **TEACHERS).model_copy(update={"variant": "wise:8b"})
    assert [p.amount for p in postings([call], book)] == [Decimal("0.1"), None]
    assert cost(book, "wise:8b", 100, 0, 5, call.at, raw=False) is None


def test_a_model_that_counts_no_tokens_is_billed_by_its_own_second() -> None:
    book = FakeBook({"model:wise:8b:second": "0.002"})
    (posted,) = postings([a_raw_call("1", tokens_in=None)], book)
    assert (posted.quantity, posted.amount) == (Decimal("1.5"), Decimal("0.003"))


def test_a_calls_cost_holds_the_students_seconds() -> None:
    call = a_call("1", **TEACHERS, student_seconds=2.0)
    assert cost_of(call, BOOK) == Money(amount=Decimal("0.0602"), currency="CNY")
    assert cost_of(a_call("1", by="student"), BOOK) == Money(amount=Decimal(0), currency="CNY")


def test_posting_again_gives_the_same_postings() -> None:
    call = a_call("1", **TEACHERS, student_seconds=0.01)
    assert list(postings([call], BOOK)) == list(postings([call], BOOK))
    assert len({posting.id for posting in postings([call], BOOK)}) == 3


def test_a_posting_names_a_price_that_lies_in_the_log() -> None:
    stand = Stand()
    stand.serve(20)
    known = {price.id: price for price in stand.store.read(Price)}
    postings = list(stand.store.read(Posting))
    assert {posting.price for posting in postings} <= set(known)
    for posting in postings:
        price = known[posting.price or ""]
        assert posting.amount == price.amount * posting.quantity
        assert (posting.unit, posting.currency) == (price.unit, price.currency)


# Payback


def a_log(
    teacher: int, student: int, *, spent: str = "0", cost: str = "1", varied: bool = False
) -> Payback:
    """Some calls of the teacher, a training and a release, then calls of the student."""
    calls: list[Call] = []
    posted: list[Posting] = []
    book = FakeBook({"teacher:input_token": cost, "teacher:output_token": "0"})
    for number in range(teacher + student):
        by = "teacher" if number < teacher else "student"
        tokens = {"tokens_in": 1 + (number % 2 if varied else 0), "tokens_out": 0}
        calls.append(a_call(f"{number}", number, by=by, **(tokens if by == "teacher" else {})))
        posted += postings([calls[-1]], book)
    training = Candidate(
        id="c", task=KIOSK.task, at=at(teacher - 0.5), dataset="d", trainer="fake", params={},
        artefact="", examples=1, expected=(), seconds=1, device="cpu",
    )  # fmt: skip
    posted += postings([training], FakeBook({"training:second": spent}))
    return payback(calls, posted, "CNY", at(teacher - 0.5))


def test_payback_is_the_call_from_which_on_savings_cover_costs() -> None:
    found = a_log(teacher=10, student=30, spent="20")
    assert found.reached
    assert found.calls == 10 + 20
    assert (found.saved, found.spent, found.teacher_per_call) == (30, 20, 1)
    assert found.unknown == ()


def test_days_count_at_the_pace_of_the_log() -> None:
    found = a_log(teacher=10, student=30, spent="20")
    # Forty calls in less than an hour count as forty an hour.
    assert found.days == pytest.approx(30 / 40 / 24)


def test_a_payback_that_lies_ahead_is_projected_at_the_present_margin() -> None:
    found = a_log(teacher=10, student=30, spent="70")
    # Thirty calls saved 30 of 70. What the training cost is no part of the margin.
    assert (found.reached, found.calls) == (False, 40 + 40)


def test_without_savings_there_is_never_a_payback() -> None:
    found = a_log(teacher=20, student=0, spent="5")
    assert (found.reached, found.calls, found.days) == (False, None, None)
    assert (found.saved, found.spent) == (0, 5)


def test_the_interval_of_the_payback_holds_its_middle() -> None:
    found = a_log(teacher=40, student=60, spent="50", varied=True)
    assert None not in (found.calls_low, found.calls, found.calls_high)
    assert found.calls_low < found.calls < found.calls_high  # type: ignore[operator]


def test_a_missing_price_leaves_the_payback_unknown_and_is_named() -> None:
    call = a_call("1", **TEACHERS)
    posted = [*postings([an_audit("1")], FakeBook()), *postings([call], BOOK)]
    found = payback([call], posted, "CNY", None)
    assert (found.saved, found.spent, found.calls, found.reached) == (None, None, None, False)
    assert found.unknown == ("audit per person",)


def test_of_an_empty_log_nothing_is_claimed() -> None:
    found = payback([], [], "CNY", None)
    assert (found.saved, found.calls, found.reached) == (None, None, False)


def test_what_was_spent_is_every_posting_that_is_not_the_teachers() -> None:
    stand = opened()
    stand.serve(100)
    postings = list(stand.store.read(Posting))
    own = [p.amount for p in postings if p.debit != "expense:teacher"]
    assert stand.house.accounts.payback(KIOSK.task).spent == sum(amount or 0 for amount in own)


# The book


def book(path: Path, text: str) -> TomlBook:
    file = path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return TomlBook(file)


WHOLE = 'amount = "1", source = "s", since = 2026-01-01'


def test_the_book_that_ships_prices_what_the_demo_needs() -> None:
    shipped = TomlBook(SHIPPED)
    not_needed = {"teacher:second", "audit:teacher", "revenue:accepted", "revenue:outcome"}
    for item in set(ITEMS) - not_needed:
        assert shipped.price(item, at(0)) is not None


def test_a_price_per_million_is_exact(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        'currency = "CNY"\n[prices]\n"teacher:input_token" = '
        "{ amount = 15, per = 1000000, source = 's', since = 2026-01-01 }",
    )
    price = found.price("teacher:input_token", at(0))
    assert price is not None
    assert price.amount == Decimal("0.000015")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'write the currency first, as in currency = "CNY"'),
        ("currency = 5", "write the currency first"),
        ('currency = "yuan"', "write the currency first"),
        ("currency = ", "is not TOML in UTF-8"),
        (f'currency = "CNY"\n[prices]\n"audit:dog" = {{ {WHOLE} }}', "unknown item 'audit:dog'"),
        ('currency = "CNY"\n[prices]\n"audit:person" = { amount = 1 }', "needs amount, source"),
        (
            'currency = "CNY"\n[prices]\n"audit:person" = '
            '{ amount = "much", source = "s", since = 2026-01-01 }',
            "needs amount, source and since",
        ),
        (
            f'currency = "CNY"\n[prices]\n"audit:person" = {{ per = 0, {WHOLE} }}',
            "needs amount, source and since",
        ),
        ('currency = "CNY"\n[prices]\n"audit:person" = 3', "needs amount, source and since"),
        ('currency = "CNY"\nprices = 3', "prices"),
        (f'currency = "cny"\n[prices]\n"audit:person" = {{ {WHOLE} }}', "currency"),
    ],
)
def test_a_file_that_is_no_book_of_prices_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        book(tmp_path, text)
    assert "prices.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = 3", "models must be a table"),
        ("[models]\nwise = 3", r"models.wise must be a table"),
        (f"[models.wise]\nimage = {{ {WHOLE} }}", "models.'wise': unknown item 'image'"),
        ("[models.wise]\ninput_token = 4", "models.'wise'.input_token needs amount, source"),
        ("[models.wise]\ninput_token = [4]", "models.'wise'.input_token needs amount, source"),
        (
            f"[models.wise]\ninput_token = [{{ {WHOLE} }}, {{ {WHOLE} }}]",
            "models.'wise'.input_token has two prices since one day",
        ),
    ],
)
def test_a_models_prices_that_are_none_say_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        book(tmp_path, f'currency = "CNY"\n{text}')


def test_a_models_name_may_have_colons_dots_and_slashes(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        f'currency = "CNY"\n[models."org/wise:8b.q4"]\noutput_token = {{ {WHOLE} }}',
    )
    price = found.price("model:org/wise:8b.q4:output_token", at(0))
    assert price is not None
    assert price.unit == "token"


def test_an_items_history_may_stand_in_any_order(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        'currency = "CNY"\n[prices]\n"audit:person" = [\n'
        '{ amount = "3", source = "s", since = 2026-03-02 },\n'
        '{ amount = "1", source = "s", since = 2026-01-01 },\n'
        '{ amount = "2", source = "s", since = 2026-02-01 } ]',
    )
    prices = [found.price("audit:person", at(minutes)) for minutes in (0, 24 * 60)]
    assert [price.amount for price in prices if price] == [2, 3]


def test_a_days_prices_lie_in_the_log_with_the_first_of_its_records() -> None:
    stand = Stand(book=FakeBook({**PRICES, "teacher:input_token": {day(1): "1", day(2): "2"}}))
    stand.serve(2)
    stand.clock.advance(timedelta(days=1))
    stand.serve(2)
    logged = {p.since: p.amount for p in stand.store.read(Price) if p.item == "teacher:input_token"}
    assert logged == {day(1): 1, day(2): 2}
    known = {price.id for price in stand.store.read(Price)}
    assert {posting.price for posting in stand.store.read(Posting)} <= known


def test_a_book_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no.toml: cannot be read"):
        TomlBook(tmp_path / "no.toml")
