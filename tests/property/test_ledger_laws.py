"""Laws of the ledger: the books balance, nothing is lost in them and nothing is guessed."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from kiosk_log import a_call, an_audit

from feilun.ledger import ITEMS, payback, postings
from feilun.records import Call, Posting
from feilun.testing import FakeBook

amounts = st.decimals(0, 100, allow_nan=False, allow_infinity=False, places=6).map(str)
books = st.dictionaries(st.sampled_from(list(ITEMS)), amounts).map(FakeBook)
full = st.fixed_dictionaries(dict.fromkeys(ITEMS, amounts)).map(FakeBook)


@st.composite
def calls(draw: st.DrawFn) -> list[Call]:
    made = []
    for number in range(draw(st.integers(1, 12))):
        by = draw(st.sampled_from(["teacher", "student"]))
        facts: dict[str, object] = {"student_seconds": draw(st.floats(0, 10))}
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
