"""Laws of the ledger: the books balance, nothing is lost in them and nothing is guessed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kiosk_log import a_call, a_correction, an_audit, at

from feilun.house import House
from feilun.house.accounts import By
from feilun.ledger import ITEMS, Trace, cost, cost_of, payback, postings
from feilun.records import KINDS, RAW, Call, Posting, Price, Record
from feilun.testing import FakeBook, FakeClock, FakeTrainer, MemoryStore
from feilun.verify import verify

amounts = st.decimals(0, 100, allow_nan=False, allow_infinity=False, places=6).map(str)
books = st.dictionaries(st.sampled_from(list(ITEMS)), amounts).map(FakeBook)
full = st.fixed_dictionaries(dict.fromkeys(ITEMS, amounts)).map(FakeBook)


@st.composite
def calls(draw: st.DrawFn) -> list[Call]:
    made = []
    for number in range(draw(st.integers(1, 12))):
        by = draw(st.sampled_from(["teacher", "student"]))
        facts: dict[str, object] = {"student_seconds": draw(st.integers(0, 10**7)) / 10**6}
        facts["seconds"] = facts["student_seconds"]
        if by == "teacher" and draw(st.booleans()):
            tokens = draw(st.integers(0, 5000))
            facts |= {"tokens_in": tokens, "tokens_out": draw(st.integers(0, 500))}
            facts |= {"tokens_cached": draw(st.none() | st.integers(0, tokens))}
        made.append(a_call(f"{number}", number, by=by, **facts))
    return made


def posted(made: list[Call], book: FakeBook) -> list[Posting]:
    return [
        *postings(made, book),
        *postings([an_audit(call.id, id=f"a{call.id}") for call in made], book),
    ]


@settings(max_examples=60)
@given(calls(), full)
def test_the_books_sum_to_zero(made: list[Call], book: FakeBook) -> None:
    accounts: dict[str, Decimal] = defaultdict(Decimal)
    for posting in posted(made, book):
        assert posting.debit != posting.credit
        accounts[posting.debit] += posting.amount or 0
        accounts[posting.credit] -= posting.amount or 0
    assert sum(accounts.values()) == 0


@settings(max_examples=60)
@given(calls(), books)
def test_an_amount_is_its_price_times_its_quantity_or_unknown(
    made: list[Call], book: FakeBook
) -> None:
    known = {
        price.id: price for item in ITEMS if (price := book.price(item, made[0].at)) is not None
    }
    for posting in posted(made, book):
        assert (posting.amount is None) == (posting.price is None)
        if posting.price is not None:
            assert posting.amount == known[posting.price].amount * posting.quantity


@settings(max_examples=60)
@given(calls(), full)
def test_every_token_is_billed_exactly_once(made: list[Call], book: FakeBook) -> None:
    for call in made:
        tokens = [p.quantity for p in postings([call], book) if p.unit == "token"]
        assert sum(tokens) == (call.tokens_in or 0) + (call.tokens_out or 0)


@settings(max_examples=60)
@given(calls(), full)
def test_each_cause_is_posted_once(made: list[Call], book: FakeBook) -> None:
    ids = [posting.id for posting in posted(made, book)]
    assert len(ids) == len(set(ids))


@settings(max_examples=60)
@given(calls(), books)
def test_a_payback_is_claimed_only_where_every_price_is_known(
    made: list[Call], book: FakeBook
) -> None:
    postings = posted(made, book)
    found = payback(made, postings, "CNY", made[0].at)
    missing = any(posting.amount is None for posting in postings)
    assert bool(found.unknown) == missing
    if missing:
        assert (found.saved, found.spent, found.calls) == (None, None, None)
    if found.calls is not None and found.reached:
        assert 1 <= found.calls <= len(made)


MODELS = ("wise", "wise:8b", "free", "nameless")
TARIFF = {
    "model:wise:input_token": {date(2026, 1, 1): "0.5", date(2026, 3, 2): "0.25"},
    "model:wise:cached_token": {date(2026, 3, 2): "0.125"},
    "model:wise:output_token": "2",
    "model:wise:8b:input_token": "0.001",
    "model:wise:8b:output_token": "0.003",
    "model:free:input_token": "0",
    "model:free:output_token": "0",
    "model:free:second": "0",
}


@st.composite
def raw_calls(draw: st.DrawFn) -> list[Call]:
    made = []
    for number in range(draw(st.integers(1, 15))):
        facts: dict[str, object] = {"task": RAW, "variant": draw(st.sampled_from(MODELS))}
        if draw(st.booleans()):
            tokens = draw(st.integers(0, 5000))
            facts |= {"tokens_in": tokens, "tokens_out": draw(st.integers(0, 500))}
            facts |= {"tokens_cached": draw(st.none() | st.integers(0, tokens))}
        minutes = draw(st.integers(0, 3 * 24 * 60))
        seconds = draw(st.integers(0, 100)) / 8
        made.append(a_call(f"{number}", minutes, seconds=seconds).model_copy(update=facts))
    return made


def groups(made: list[Call], cuts: list[int]) -> list[list[Call]]:
    edges = [0, *sorted(cut % (len(made) + 1) for cut in cuts), len(made)]
    return [made[a:b] for a, b in pairwise(edges)]


def sums(rows: list[Posting]) -> dict[tuple[str, str, str | None], tuple[Decimal, Decimal]]:
    """What was posted by account, unit and price, however it was cut into rows."""
    found: dict[tuple[str, str, str | None], tuple[Decimal, Decimal]] = {}
    for row in rows:
        same = (row.debit, row.unit, row.price)
        quantity, amount = found.get(same, (Decimal(0), Decimal(0)))
        found[same] = (quantity + row.quantity, amount + (row.amount or 0))
    return found


@settings(max_examples=60)
@given(raw_calls(), st.lists(st.integers(0, 15), max_size=4), st.randoms(use_true_random=False))
def test_however_raw_calls_are_grouped_the_same_is_posted(
    made: list[Call], cuts: list[int], chance: Random
) -> None:
    book = FakeBook(TARIFF)
    shuffled = list(made)
    chance.shuffle(shuffled)
    whole = list(postings(made, book))
    assert whole == list(postings(shuffled, book))
    parts = [row for group in groups(shuffled, cuts) for row in postings(group, book)]
    alone = [row for call in made for row in postings([call], book)]
    assert sums(parts) == sums(whole) == sums(alone)
    for rows in (whole, parts, alone):
        assert len({row.id for row in rows}) == len(rows)


@settings(max_examples=60)
@given(raw_calls())
def test_every_token_of_raw_calls_is_billed_exactly_once_to_its_model(made: list[Call]) -> None:
    rows = list(postings(made, FakeBook(TARIFF)))
    for model in MODELS:
        counted = [c for c in made if c.variant == model and c.tokens_in is not None]
        billed = [p for p in rows if p.debit == f"expense:model:{model}" and "token" in p.unit]
        tokens = sum((c.tokens_in or 0) + (c.tokens_out or 0) for c in counted)
        assert sum(p.quantity for p in billed) == tokens


@settings(max_examples=60)
@given(raw_calls(), st.booleans())
def test_a_calls_cost_is_the_sum_of_its_postings_and_what_the_hot_path_says(
    made: list[Call], raw: bool
) -> None:
    book = FakeBook({**TARIFF, "teacher:input_token": "3", "teacher:output_token": "5"})
    for call in made:
        asked = call if raw else call.model_copy(update={"task": "kiosk.shelf"})
        amounts = [row.amount for row in postings([asked], book)]
        known = None if None in amounts else sum(amount or 0 for amount in amounts)
        total = cost_of(asked, book)
        assert (total.amount if total else None) == known
        if asked.tokens_in is not None and asked.tokens_out is not None:
            tokens = (asked.tokens_in, asked.tokens_cached or 0, asked.tokens_out)
            assert cost(book, asked.variant, *tokens, asked.at, raw=raw) == total


# The journal and what caused it


def kept(groups: Iterable[list[Record]], book: FakeBook) -> House:
    """A house that kept groups of records, each in one step, as a gateway does."""
    house = House(MemoryStore(), book=book, clock=FakeClock(at(10**6)), trainer=FakeTrainer())
    for group in groups:
        house.keep(*group)
    return house


@st.composite
def events(draw: st.DrawFn) -> list[Record]:
    """Calls of a task and raw ones, with what people and audits said of them."""
    made = draw(calls())
    raw = [call.model_copy(update={"id": f"raw {call.id}"}) for call in draw(raw_calls())]
    said: list[Record] = []
    for call in made:
        if draw(st.booleans()):
            said.append(an_audit(call.id, id=f"a{call.id}"))
        if draw(st.booleans()):
            tokens = {"variant": "wise", "tokens_in": 70, "tokens_cached": 20, "tokens_out": 3}
            audit = an_audit(call.id, id=f"t{call.id}", by="teacher")
            said.append(audit.model_copy(update=tokens))
        if draw(st.booleans()):
            said.append(a_correction(call.id, "fruit", id=f"c{call.id}"))
    return draw(st.permutations([*made, *raw, *said]))


FULL = {**TARIFF, **dict.fromkeys(ITEMS, "0.5")}
some_books = st.sets(st.sampled_from(sorted(FULL))).map(
    lambda left_out: FakeBook({item: FULL[item] for item in FULL if item not in left_out})
)


@settings(max_examples=40, deadline=None)
@given(events(), st.lists(st.integers(0, 60), max_size=5), st.randoms(use_true_random=False))
def test_no_order_of_events_changes_a_balance(
    made: list[Record], cuts: list[int], chance: Random
) -> None:
    shuffled = list(made)
    chance.shuffle(shuffled)
    book = FakeBook(FULL)
    one = kept([made], book).accounts.balances()
    other = kept(groups(shuffled, cuts), book).accounts.balances()
    assert {name: each.amount for name, each in one.items()} == {
        name: each.amount for name, each in other.items()
    }
    assert sum(each.amount for each in one.values()) == 0


@settings(max_examples=40, deadline=None)
@given(events(), st.lists(st.integers(0, 60), max_size=5), some_books)
def test_every_posting_is_derived_again_and_its_parts_sum_to_it(
    made: list[Record], cuts: list[int], book: FakeBook
) -> None:
    house = kept(groups(made, cuts), book)
    trace = house.accounts.trace()
    parts = list(trace)
    assert [part.problem for part in parts if part.problem] == []
    assert trace.unposted() == []
    for posting in house.store.read(Posting):
        mine = [part for part in parts if part.posting == posting]
        assert sum(part.quantity for part in mine) == posting.quantity
        if posting.amount is not None:
            assert sum(part.amount or 0 for part in mine) == posting.amount
    assert [check.problem for check in verify(house) if check.problem] == []


@settings(max_examples=30, deadline=None)
@given(events(), st.lists(st.integers(0, 60), max_size=5), st.data())
def test_whichever_posting_is_changed_it_is_named(
    made: list[Record], cuts: list[int], data: st.DataObject
) -> None:
    house = kept(groups(made, cuts), FakeBook(FULL))
    rows = list(house.store.read(Posting))
    priced = [row for row in rows if row.amount]
    assume(priced)
    victim = data.draw(st.sampled_from(priced))
    change = data.draw(st.sampled_from(["amount", "quantity"]))
    forged = victim.model_copy(update={change: getattr(victim, change) + 1})
    calls = house.store.read(Call)
    prices = {price.id: price for price in house.store.read(Price)}
    trace = Trace(
        [forged if row == victim else row for row in rows],
        calls,
        prices,
        lambda kind, id: house.store.get(KINDS[kind], id),
    )
    assert {part.posting.id for part in trace if part.problem} == {victim.id}


@settings(max_examples=40, deadline=None)
@given(events(), st.lists(st.integers(0, 60), max_size=5))
def test_by_whatever_money_is_told_apart_its_sum_is_the_same(
    made: list[Record], cuts: list[int]
) -> None:
    house = kept(groups(made, cuts), FakeBook(FULL))
    spent = [p.amount for p in house.store.read(Posting) if p.debit.startswith("expense:")]
    for by in By:
        rows = house.accounts.statement(by)
        assert sum(row.cost for row in rows) == sum(amount or 0 for amount in spent)
        assert sum(row.calls for row in rows) == sum(1 for _ in house.store.read(Call))


@settings(max_examples=40, deadline=None)
@given(events(), st.lists(st.integers(0, 60), max_size=3))
def test_closing_again_posts_nothing_and_late_calls_post_the_difference(
    made: list[Record], cuts: list[int]
) -> None:
    priced = {**FULL, "device:cpu:second": "0.001"}
    early, *late = groups(made, cuts)
    house = kept([early], FakeBook(priced))
    house.accounts.close()
    assert house.accounts.close() == []
    for group in late:
        house.keep(*group)
        house.accounts.close()
    assert [check.problem for check in verify(house) if check.problem] == []
    at_once = kept([made], FakeBook(priced))
    at_once.accounts.close()
    memo = [each.accounts.balances().get("memo:avoided") for each in (house, at_once)]
    if not late or memo[1] is None:
        return
    served = {(c.task, c.at.date()) for c in house.store.read(Call) if c.by == "student"}
    if all(day == at(0).date() for _, day in served):  # one day: no basis of an earlier one
        assert memo[0] is not None
        assert abs(memo[0].amount - memo[1].amount) < Decimal("1e-9")
