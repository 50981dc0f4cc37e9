"""Limits: requests, tokens and money of a key, reserved before a call and settled after it."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from kiosk_log import a_call

from feilun.errors import AccessError
from feilun.gateway.limits import UNBOUNDED, Ask, Budgets, Used, needed_since
from feilun.records import RAW, Call, Json, Key, Limits, Money
from feilun.testing import FakeBook, FakeClock

START = datetime(2026, 3, 30, 23, 0, tzinfo=UTC)  # an hour before a day ends, a day before a month
PRICES = {
    "model:wise:input_token": "0.001",
    "model:wise:cached_token": "0.0001",
    "model:wise:output_token": "0.01",
    "model:dear:input_token": "0.1",
    "model:dear:output_token": "0.1",
    "teacher:input_token": "0.002",
    "teacher:output_token": "0.02",
}
ASK = Ask(("wise",), body_bytes=100, max_tokens=10, raw=True)  # 110 tokens, at most 0.2


def money(amount: str, currency: str = "CNY") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def a_key(name: str = "k", **limits: Json) -> Key:
    return Key(
        id=name, task="*", at=START, key=name, name=name, digest="0" * 64, last4="ab12",
        scopes=("call",), limits=Limits(**limits),
    )  # fmt: skip


class Gate:
    """Budgets, and the two clocks that a test moves."""

    def __init__(self, *calls: Call, prices: dict[str, str] = PRICES) -> None:
        self.clock, self.tick = FakeClock(START), 0.0
        self.budgets = Budgets(FakeBook(prices), self.clock, calls, tick=lambda: self.tick)

    def refusal(self, key: Key, ask: Ask = ASK) -> AccessError:
        before = self.budgets.used(key)
        with pytest.raises(AccessError) as caught:
            self.budgets.reserve(key, ask)
        assert self.budgets.used(key) == before  # what is refused sets nothing aside
        return caught.value

    def spend(self, key: Key, tokens_in: int, tokens_out: int) -> None:
        made = self.budgets.reserve(key, ASK)
        self.budgets.settle(made, "wise", tokens_in, None, tokens_out)


# Requests


def test_so_many_requests_pass_in_any_minute_and_no_more() -> None:
    gate, key = Gate(), a_key(requests_per_minute=3)
    for gate.tick in (0.0, 20.0, 40.0):
        gate.budgets.reserve(key, ASK)
    gate.tick = 59.0
    refused = gate.refusal(key)
    assert (refused.status, refused.code, refused.retry_after) == (429, "rate_limit_exceeded", 1.0)
    gate.tick = 60.0
    gate.budgets.reserve(key, ASK)  # the one of second 0 is a minute old
    assert gate.refusal(key).retry_after == 20.0


def test_a_refused_request_is_none_of_the_minutes() -> None:
    gate, key = Gate(), a_key(requests_per_minute=1, tokens_per_day=1000)
    for _ in range(5):
        assert gate.refusal(key, Ask(("wise",), 5000, 1, raw=True)).code == "insufficient_quota"
    gate.budgets.reserve(key, ASK)


def test_keys_have_budgets_of_their_own() -> None:
    gate = Gate()
    gate.budgets.reserve(a_key("one", requests_per_minute=1), ASK)
    gate.budgets.reserve(a_key("two", requests_per_minute=1), ASK)
    assert gate.refusal(a_key("one", requests_per_minute=1)).status == 429


# Tokens


def test_what_is_in_flight_is_set_aside_until_it_is_settled() -> None:
    gate, key = Gate(), a_key(tokens_per_day=260)
    first = gate.budgets.reserve(key, ASK)
    gate.budgets.reserve(key, ASK)
    refused = gate.refusal(key)
    assert (refused.status, refused.code, refused.retry_after) == (429, "insufficient_quota", 1.0)
    assert "220 are set aside" in str(refused)
    assert "when those calls have ended" in str(refused)
    gate.budgets.settle(first, "wise", 30, None, 5)
    gate.budgets.reserve(key, ASK)
    assert gate.budgets.used(key)[:2] == (35, 220)


def test_a_day_that_is_spent_says_when_the_next_one_begins() -> None:
    gate, key = Gate(), a_key(tokens_per_day=150)
    gate.spend(key, 50, 10)
    refused = gate.refusal(key)
    assert refused.retry_after == 3600.0
    assert "on 2026-03-31 UTC" in str(refused)
    gate.clock.advance(timedelta(hours=1))
    gate.budgets.reserve(key, ASK)


def test_a_call_that_is_larger_than_the_budget_hears_that_waiting_does_not_help() -> None:
    refused = Gate().refusal(a_key(tokens_per_day=109))
    assert refused.retry_after is None
    assert "max_tokens" in str(refused)
    assert "larger limit" in str(refused)


def test_an_answer_without_a_bound_sets_a_stated_number_aside() -> None:
    gate, key = Gate(), a_key(tokens_per_day=UNBOUNDED + 100)
    gate.budgets.reserve(key, ASK._replace(max_tokens=None))
    assert gate.budgets.used(key).tokens_reserved == UNBOUNDED + 100
    assert gate.refusal(a_key("o", tokens_per_day=UNBOUNDED), ASK._replace(max_tokens=None))


def test_a_call_across_midnight_is_of_the_day_on_which_it_was_asked() -> None:
    gate, key = Gate(), a_key(tokens_per_day=150)
    asked = gate.budgets.reserve(key, ASK)
    gate.clock.advance(timedelta(hours=2))
    gate.budgets.settle(asked, "wise", 100, None, 10)
    assert gate.budgets.used(key)[:2] == (0, 0)
    gate.budgets.reserve(key, ASK)


def test_a_longer_answer_than_was_set_aside_is_counted_in_full() -> None:
    gate, key = Gate(), a_key(tokens_per_day=1000)
    gate.budgets.settle(gate.budgets.reserve(key, ASK), "wise", 100, None, 5000)
    assert gate.budgets.used(key).tokens == 5100
    assert gate.refusal(key).code == "insufficient_quota"


def test_what_no_engine_counted_is_charged_as_it_was_reserved() -> None:
    gate, key = Gate(), a_key(tokens_per_day=1000, money_per_month=money("5"))
    asked = gate.budgets.reserve(key, ASK)
    assert gate.budgets.settle(asked, "wise", None, None, None) is None
    assert gate.budgets.used(key) == Used(110, 0, Decimal("0.2"), Decimal(0))


def test_settling_twice_counts_once_and_releasing_after_it_gives_nothing_back() -> None:
    gate, key = Gate(), a_key(tokens_per_day=1000)
    asked = gate.budgets.reserve(key, ASK)
    for _ in range(2):
        gate.budgets.settle(asked, "wise", 50, None, 5)
    gate.budgets.release(asked)
    assert gate.budgets.used(key)[:2] == (55, 0)


def test_what_a_student_answered_takes_nothing() -> None:
    gate, key = Gate(), a_key(tokens_per_day=1000, money_per_month=money("5"))
    gate.budgets.release(gate.budgets.reserve(key, ASK))
    assert gate.budgets.used(key) == Used(0, 0, Decimal(0), Decimal(0))


# Money


def test_a_settled_call_says_what_it_cost() -> None:
    gate, key = Gate(), a_key(money_per_month=money("1"))
    asked = gate.budgets.reserve(key, ASK)
    assert gate.budgets.used(key).money_reserved == Decimal("0.2")
    assert gate.budgets.settle(asked, "wise", 100, 50, 10) == money("0.155")
    assert gate.budgets.used(key)[2:] == (Decimal("0.155"), 0)


def test_a_budget_may_be_spent_to_its_last_unit() -> None:
    gate, key = Gate(), a_key(tokens_per_day=110, money_per_month=money("0.2"))
    gate.budgets.reserve(key, ASK)
    assert "110 are set aside" in str(gate.refusal(key))


def test_a_month_that_is_spent_says_when_the_next_one_begins() -> None:
    gate, key = Gate(), a_key(money_per_month=money("0.3"))
    gate.spend(key, 100, 10)
    refused = gate.refusal(key)
    assert (refused.status, refused.code) == (429, "insufficient_quota")
    assert refused.retry_after == timedelta(hours=25).total_seconds()
    assert "on 2026-04-01 UTC" in str(refused)
    gate.clock.advance(timedelta(hours=24))
    assert gate.refusal(key)
    gate.clock.advance(timedelta(hours=1))
    gate.budgets.reserve(key, ASK)


def test_of_several_models_that_may_answer_the_dearest_is_reserved() -> None:
    gate, key = Gate(), a_key(money_per_month=money("12"))
    for models in (("wise", "dear"), ("dear", "wise")):
        asked = gate.budgets.reserve(key, ASK._replace(models=models))
        assert asked.money == Decimal(11)
        gate.budgets.release(asked)
    asked = gate.budgets.reserve(key, ASK._replace(models=("dear", "wise")))
    gate.budgets.settle(asked, "wise", 100, None, 10)
    assert gate.budgets.used(key).money == Decimal("0.2")


@pytest.mark.parametrize("models", [("nameless",), ("wise", "nameless")])
def test_an_unknown_price_is_refused_where_money_is_limited(models: tuple[str, ...]) -> None:
    refused = Gate().refusal(a_key(money_per_month=money("1000")), ASK._replace(models=models))
    assert (refused.status, refused.code, refused.retry_after) == (403, "unknown_price", None)
    assert '[models."nameless"]' in str(refused)


def test_a_budget_in_another_currency_than_the_books_is_unknown_too() -> None:
    refused = Gate().refusal(a_key(money_per_month=money("1000", "EUR")))
    assert refused.code == "unknown_price"


def test_an_unknown_price_stops_no_key_without_a_budget_of_money() -> None:
    gate, key = Gate(), a_key(tokens_per_day=1000)
    asked = gate.budgets.reserve(key, ASK._replace(models=("nameless",)))
    assert gate.budgets.settle(asked, "nameless", 10, None, 1) is None


def test_a_call_of_a_task_is_priced_as_its_teacher_where_its_model_has_no_price() -> None:
    gate, key = Gate(), a_key(money_per_month=money("1"))
    asked = gate.budgets.reserve(key, Ask(("nameless",), 100, 10, raw=False))
    assert asked.money == Decimal("0.4")


# All at once


def test_calls_at_the_same_time_share_one_budget() -> None:
    gate, key = Gate(), a_key(tokens_per_day=110 * 20, money_per_month=money("100"))
    passed: list[int] = []
    start = threading.Barrier(8)

    def ask_often() -> None:
        start.wait()
        for _ in range(10):
            try:
                asked = gate.budgets.reserve(key, ASK)
            except AccessError:
                continue
            passed.append(1)
            gate.budgets.settle(asked, "wise", 100, None, 10)

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 20
    assert gate.budgets.used(key)[:2] == (110 * 20, 0)


# Over a restart


def logged(id: str, at: datetime, **more: Json) -> Call:
    facts = {"task": RAW, "variant": "wise", "key": "k", "tokens_in": 100, "tokens_out": 10}
    return a_call(id).model_copy(update={"at": at, **facts, **more})


def test_a_restart_knows_what_was_spent_this_day_and_this_month() -> None:
    calls = [
        logged("0", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        logged("1", datetime(2026, 3, 1, tzinfo=UTC)),
        logged("2", START - timedelta(hours=1)),
        logged("3", datetime(2026, 3, 1, tzinfo=UTC)),  # came late
        logged("4", START, key="other"),
        logged("5", START, key=None),
        logged("6", START, by="student"),
    ]
    used = Gate(*calls).budgets.used(a_key())
    assert used == Used(110, 0, Decimal("0.6"), Decimal(0))


def test_a_restart_charges_what_no_engine_counted_by_what_the_log_kept() -> None:
    body = {"model": "wise", "max_tokens": 7}
    uncounted = {"tokens_in": None, "tokens_out": None}
    calls = [
        logged("1", START, input=body, **uncounted),
        logged("2", START, input="x", **uncounted),
    ]
    size = len('{"max_tokens":7,"model":"wise"}') + len('"x"')
    assert Gate(*calls).budgets.used(a_key()).tokens == size + 7 + UNBOUNDED


def test_the_log_is_needed_as_far_back_as_a_limit_reaches() -> None:
    month, day = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    rich, busy = a_key(money_per_month=money("1")), a_key(tokens_per_day=1)
    assert needed_since([a_key(requests_per_minute=1)], START) is None
    assert needed_since([busy], START) == day
    assert needed_since([busy, rich], START) == month
    assert needed_since([rich.model_copy(update={"revoked": True})], START) is None
