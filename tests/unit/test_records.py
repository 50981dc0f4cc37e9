"""Records: one stable JSON form, times in UTC, nothing that is not declared."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from kiosk_log import a_call, an_audit
from pydantic import ValidationError

from feilun.records import (
    KINDS,
    Call,
    Money,
    Record,
    RedLine,
    content_id,
    decode,
    encode,
    stable_json,
)


def test_stable_json_does_not_depend_on_the_order_of_keys() -> None:
    assert (
        stable_json({"b": 1, "a": "文"})
        == stable_json({"a": "文", "b": 1})
        == ('{"a":"文","b":1}'.encode())
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_stable_json_has_no_word_for_what_json_cannot_say(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        stable_json(value)


def test_a_moment_is_kept_in_utc_whatever_the_zone_it_came_in() -> None:
    beijing = datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    call = Call.model_validate({**a_call("1").model_dump(), "at": beijing})
    assert call.at.tzinfo is UTC
    assert b"2026-03-01T12:00:00Z" in encode(call)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Call.model_validate({**a_call("1").model_dump(), "at": datetime(2026, 3, 1)})


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_call("1").output = "fruit"  # type: ignore[misc]


@pytest.mark.parametrize(("field", "value"), [("mood", "good"), ("version", 2)])
def test_what_this_version_does_not_know_is_refused_and_not_dropped(
    field: str, value: object
) -> None:
    body = {**json.loads(encode(a_call("1"))), field: value}
    with pytest.raises(ValidationError, match=field):
        decode(Call, json.dumps(body))


def test_money_is_exact_and_names_its_currency() -> None:
    assert stable_json(Money(amount=Decimal("0.10"), currency="CNY").model_dump(mode="json")) == (
        b'{"amount":"0.10","currency":"CNY"}'
    )
    with pytest.raises(ValidationError, match="currency"):
        Money(amount=Decimal(1), currency="yuan")


@pytest.mark.parametrize("rate", [0, -0.1, 1.1])
def test_an_audit_has_a_chance_above_zero_and_at_most_one(rate: float) -> None:
    with pytest.raises(ValidationError, match="rate"):
        an_audit("1", rate=rate)


@pytest.mark.parametrize("values", [{"max_loss": 0}, {"max_loss": 1}, {"confidence": 0.5}])
def test_a_red_line_that_says_nothing_or_everything_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RedLine.model_validate({"max_loss": 0.1, **values})


def test_an_id_made_of_content_changes_with_it() -> None:
    assert content_id([1]) == content_id([1]) != content_id(["1"])


def test_each_kind_has_a_name_of_its_own() -> None:
    assert all(kind.kind == name for name, kind in KINDS.items())
    assert len(set(KINDS.values())) == len(KINDS)
    assert set(KINDS.values()) == {
        kind for kind in _all_below(Record) if hasattr(kind, "kind") and "kind" in vars(kind)
    }


def _all_below(kind: type[Record]) -> set[type[Record]]:
    return {kind}.union(*(_all_below(child) for child in kind.__subclasses__())) - {Record}
