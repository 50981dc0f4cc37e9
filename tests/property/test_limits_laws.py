"""Laws of budgets: never more is spent and set aside than there is, and nothing is lost."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kiosk_log import a_call

from feilun.errors import AccessError
from feilun.gateway.limits import Ask, Budgets, Reservation
from feilun.records import RAW, Call, Key, Limits, Money
from feilun.testing import FakeBook, FakeClock

PRICES = {
    "model:wise:input_token": "0.001",
    "model:wise:cached_token": "0.0001",
    "model:wise:output_token": "0.01",
    "model:dear:input_token": "0.01",
    "model:dear:output_token": "0.02",
}
MODELS = ("wise", "dear")
KEYS = ("one", "two")
_BY_TOKEN = {
    model: {what: Decimal(PRICES.get(f"model:{model}:{what}_token", "0.01")) for what in
            ("input", "cached", "output")}
    for model in MODELS
}  # fmt: skip


class Spending(RuleBasedStateMachine):
    """Clients ask, engines answer, days pass, and the gateway is killed now and then.

    What a machine of a few lines says was spent, the budgets must say too.
    """

    @initialize(tokens=st.integers(20, 200), money=st.integers(1, 4))
    def open(self, tokens: int, money: int) -> None:
        limits = Limits(
            tokens_per_day=tokens, money_per_month=Money(amount=Decimal(money), currency="CNY")
        )
        self.clock = FakeClock()
        self.keys = {name: self._key(name, limits) for name in KEYS}
        self.flight: list[tuple[str, Reservation]] = []
        self.log: list[Call] = []
        self.budgets = Budgets(FakeBook(PRICES), self.clock)

    @rule(
        name=st.sampled_from(KEYS),
        models=st.sets(st.sampled_from(MODELS), min_size=1).map(sorted),
        body=st.integers(0, 60),
        most=st.integers(0, 60),
    )
    def ask(self, name: str, models: list[str], body: int, most: int) -> None:
        key, ask = self.keys[name], Ask(tuple(models), body, most, raw=True)
        used, limits = self.budgets.used(key), key.limits
        budget = limits.money_per_month or Money(amount=Decimal(0), currency="CNY")
        worst = max(_cost(model, body, 0, most) for model in models)
        fits = (
            used.tokens + used.tokens_reserved + body + most <= (limits.tokens_per_day or 0)
            and used.money + used.money_reserved + worst <= budget.amount
        )
        try:
            self.flight.append((name, self.budgets.reserve(key, ask)))
        except AccessError:
            assert not fits  # nothing is refused that fits
            return
        assert fits

    @precondition(lambda self: self.flight)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        name, asked = self._land(data)
        model = data.draw(st.sampled_from(asked.ask.models))
        took = data.draw(st.integers(0, asked.ask.body_bytes))
        cached = data.draw(st.integers(0, took))
        gave = data.draw(st.integers(0, asked.ask.tokens_out))
        for _ in range(data.draw(st.integers(1, 2))):  # again is no news
            priced = self.budgets.settle(asked, model, took, cached, gave)
        assert priced is not None
        assert priced.amount == _cost(model, took, cached, gave)
        facts = {"task": RAW, "variant": model, "key": name, "at": asked.at}
        facts |= {"tokens_in": took, "tokens_cached": cached, "tokens_out": gave}
        self.log.append(a_call(f"{len(self.log)}").model_copy(update=facts))

    @precondition(lambda self: self.flight)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.budgets.release(self._land(data)[1])

    @rule(hours=st.sampled_from([1, 7, 24, 24 * 20]))
    def wait(self, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))

    @rule()
    def die_and_start_again(self) -> None:
        self.flight.clear()
        self.budgets = Budgets(FakeBook(PRICES), self.clock, self.log)

    @invariant()
    def no_more_is_spent_and_set_aside_than_there_is(self) -> None:
        for key in self.keys.values():
            used = self.budgets.used(key)
            assert used.tokens + used.tokens_reserved <= key.limits.tokens_per_day
            assert used.money + used.money_reserved <= key.limits.money_per_month.amount

    @invariant()
    def nothing_is_lost_or_counted_twice(self) -> None:
        for name, key in self.keys.items():
            used, now = self.budgets.used(key), self.clock.now()
            tokens: dict[str, int] = defaultdict(int)
            money: dict[str, Decimal] = defaultdict(Decimal)
            for call in self.log:
                if call.key == name:
                    took, gave = call.tokens_in or 0, call.tokens_out or 0
                    tokens[_day(call.at)] += took + gave
                    money[_month(call.at)] += _cost(
                        call.variant, took, call.tokens_cached or 0, gave
                    )
            flight = [asked for whose, asked in self.flight if whose == name]
            assert used.tokens == tokens[_day(now)]
            assert used.money == money[_month(now)]
            assert used.tokens_reserved == sum(a.tokens for a in flight if _day(a.at) == _day(now))
            assert used.money_reserved == sum(
                a.money for a in flight if _month(a.at) == _month(now)
            )

    def _key(self, name: str, limits: Limits) -> Key:
        return Key(
            id=name, task="*", at=self.clock.now(), key=name, name=name, digest="0" * 64,
            last4="ab12", scopes=("call",), limits=limits,
        )  # fmt: skip

    def _land(self, data: st.DataObject) -> tuple[str, Reservation]:
        return self.flight.pop(data.draw(st.integers(0, len(self.flight) - 1)))


def _cost(model: str, took: int, cached: int, gave: int) -> Decimal:
    price = _BY_TOKEN[model]
    return price["input"] * (took - cached) + price["cached"] * cached + price["output"] * gave


def _day(at: datetime) -> str:
    return at.isoformat()[:10]


def _month(at: datetime) -> str:
    return at.isoformat()[:7]


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=80, stateful_step_count=30)
