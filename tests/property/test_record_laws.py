"""Laws of records: they survive their JSON form, and that form is one and the same."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feilun.records import KINDS, Record, Scope, content_id, decode, encode, stable_json

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
moments = st.datetimes(datetime(1, 1, 2), timezones=st.just(UTC))
amounts = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False)
budgets = st.decimals("0.01", 10**9, allow_nan=False, allow_infinity=False)
currencies = st.from_regex(r"[A-Z]{3}", fullmatch=True)
tables = st.dictionaries(text, values, max_size=3)

# Fields of which the name says more than the type.
NAMED: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(["at", "cut", "until"], moments),
    **dict.fromkeys(["input", "output"], values),
    **dict.fromkeys(["input_schema", "output_schema", "params", "labels"], tables),
    "format": st.none() | tables,
    "name": st.text("abc 飞轮", min_size=1, max_size=12),
    "digest": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    "last4": st.from_regex(r"[0-9A-Za-z]{4}", fullmatch=True),
    "scopes": st.lists(st.sampled_from(Scope), min_size=1, max_size=4),
    "expires": st.none() | moments,
    "limits": st.fixed_dictionaries(
        {
            "requests_per_minute": st.none() | st.integers(1, 100_000),
            "tokens_per_day": st.none() | st.integers(1, 10**9),
            "money_per_month": st.none()
            | st.fixed_dictionaries({"amount": budgets, "currency": currencies}),
        }
    ),
    **dict.fromkeys(["seconds", "student_seconds"], st.floats(0, 1e9)),
    **dict.fromkeys(["amount", "quantity"], amounts),
    "rate": st.floats(0.001, 1),
    "audit_rate": shares,
    "currency": currencies,
    "missing_cost": st.none() | st.fixed_dictionaries({"amount": amounts, "currency": currencies}),
    "shots": st.lists(st.fixed_dictionaries({"input": values, "output": values}), max_size=2),
    "red_line": st.fixed_dictionaries(
        {"max_loss": st.floats(0.01, 0.99), "confidence": st.floats(0.51, 0.99)}
    ),
    "expected": st.lists(st.fixed_dictionaries({"coverage": shares, "loss": finite}), max_size=3),
}
TYPED: dict[object, st.SearchStrategy[object]] = {
    str: text,
    float: finite,
    str | None: st.none() | text,
    float | None: st.none() | finite,
}


def _of(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.fixed_dictionaries(fields)


counts = st.integers(0, 10**9)
some_shares = st.floats(0.001, 1)
money = _of(amount=amounts, currency=currencies)
between = _of(mid=finite, low=finite, high=finite)
sliced = {
    "name": text, "audits": counts, "served": counts, "loss": st.none() | finite,
    "loss_low": finite, "loss_high": finite, "threshold": st.none() | finite,
}  # fmt: skip
aside = _of(
    variant=text, output=values, confidence=finite, sure=st.booleans(), seconds=st.floats(0, 1e9)
)
line = _of(
    model=text, item=text, quantity=st.none() | amounts, amount=amounts,
    day=st.none() | st.dates(),
)  # fmt: skip

# Fields of which only the kind says what they hold.
OF_KIND: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "call": {"common_rate": st.none() | some_shares, "aside": st.none() | aside, "tenant": text},
    "certificate": {"slices": st.lists(_of(**sliced), max_size=2)},
    "release": {"slices": st.none() | st.dictionaries(text, finite, max_size=2)},
    "alarm": {"alpha": st.floats(0.001, 0.5)},
    "trial": {
        "share": some_shares,
        "slices": st.none() | st.dictionaries(text, finite, max_size=2),
    },
    "bill": {
        "provider": st.text("abc 飞轮", min_size=1, max_size=12),
        "first": st.dates(), "last": st.dates(), "total": amounts,
        "lines": st.lists(line, max_size=2), "names": st.dictionaries(text, text, max_size=2),
    },
    "plan": {
        **dict.fromkeys(["coverage", "calls_per_day", "gain_per_day", "returned"],
                        st.none() | between),
        "certified": st.none() | shares, "serves_now": shares, "quantity": counts,
        "cost": st.none() | money, "per_money": st.none() | amounts,
        "curve": st.lists(_of(examples=counts, tested=counts, loss=finite), max_size=2),
        "measured": st.none() | _of(training=finite, answer=finite),
    },
}  # fmt: skip


def records_of(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Records of a kind, with every field filled in every way that it allows."""
    fields: dict[str, st.SearchStrategy[object]] = {}
    named = {**NAMED, **OF_KIND.get(kind.kind, {})}
    for name, field in kind.model_fields.items():
        hint: Any = field.annotation
        typed = TYPED[hint] if hint in TYPED else st.from_type(hint)
        fields[name] = named.get(name, typed)
    return st.fixed_dictionaries(fields).map(kind.model_validate)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_record_survives_its_json_form(kind: type[Record]) -> None:
    @settings(max_examples=25)
    @given(records_of(kind))
    def survives(record: Record) -> None:
        body = encode(record)
        again = decode(kind, body)
        assert again == record
        assert encode(again) == body
        assert body == stable_json(json.loads(body))

    survives()


@given(values)
def test_stable_json_says_what_was_meant(value: object) -> None:
    assert json.loads(stable_json(value)) == value


@given(st.dictionaries(text, values, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_neither_bytes_nor_ids(
    value: dict[str, object], chance: object
) -> None:
    keys = list(value)
    chance.shuffle(keys)  # type: ignore[attr-defined]
    shuffled = {key: value[key] for key in keys}
    assert stable_json(shuffled) == stable_json(value)
    assert content_id(shuffled) == content_id(value)
