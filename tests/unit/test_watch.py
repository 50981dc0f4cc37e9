"""Audits: drawn by chance that anyone can check, and the risk that they measure."""

import random

import pytest
from kiosk_log import Stand, a_call, an_audit, at
from scipy.stats import binomtest

from feilun.errors import TaskError
from feilun.records import Audit, Call
from feilun.tasks import loss
from feilun.testing.kiosk import KIOSK, lines
from feilun.watch import drawn, judged, risk


def wrong(output: object, right: object) -> float:
    return loss(KIOSK, output, right)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.93])
def test_calls_are_drawn_as_often_as_their_rate_says(rate: float) -> None:
    hits = sum(drawn(a_call(f"call-{n}", audit_rate=rate)) for n in range(4000))
    assert binomtest(hits, 4000, rate).pvalue > 0.001


def test_a_rate_of_one_draws_all_and_a_rate_of_zero_none() -> None:
    assert all(drawn(a_call(f"{n}", audit_rate=1)) for n in range(500))
    assert not any(drawn(a_call(f"{n}", audit_rate=0)) for n in range(500))


def test_the_draw_follows_from_the_id_and_the_rate_and_from_nothing_else() -> None:
    for n in range(200):
        call = a_call(f"{n}", 0, "green tea", "drinks", audit_rate=0.3)
        other = a_call(f"{n}", 9, "no idea", "fruit", by="student", confidence=0.1, audit_rate=0.3)
        assert drawn(call) == drawn(other)


def test_whoever_is_drawn_at_a_rate_is_drawn_at_every_higher_one() -> None:
    for n in range(200):
        draws = [drawn(a_call(f"{n}", audit_rate=rate)) for rate in (0.1, 0.3, 0.6, 0.9)]
        assert draws == sorted(draws)


def test_draws_of_neighbouring_ids_are_independent() -> None:
    draws = [drawn(a_call(f"{n:026}", audit_rate=0.5)) for n in range(4000)]
    both = sum(one and other for one, other in zip(draws[::2], draws[1::2], strict=True))
    assert binomtest(both, 2000, 0.25).pvalue > 0.001


def test_an_audit_carries_the_rate_at_which_its_call_was_drawn() -> None:
    call = a_call("1", audit_rate=0.125)
    audit = judged(call, "fruit", "person", id="audit-1", at=at(5))
    assert (audit.call, audit.rate, audit.output, audit.by) == ("1", 0.125, "fruit", "person")
    assert (audit.task, audit.at) == (call.task, at(5))


def test_a_house_refuses_an_audit_of_a_call_that_chance_did_not_pick() -> None:
    stand = Stand(audit_rate=0)
    call = stand.house.answer(KIOSK.task, stand.traffic[0].text)
    with pytest.raises(TaskError, match=r"was not drawn for an audit. Correct or rate"):
        stand.house.auditing.audit(call, "fruit")
    assert list(stand.store.read(Audit)) == []


def test_without_audits_there_is_no_risk_rather_than_none_at_all() -> None:
    assert risk([], wrong) is None


def test_with_one_rate_the_risk_is_the_plain_mean_with_wilsons_interval() -> None:
    rows = [(a_call(f"{n}"), an_audit(f"{n}", "fruit" if n < 7 else "drinks")) for n in range(50)]
    found = risk(rows, wrong)
    assert found is not None
    wilson = binomtest(7, 50).proportion_ci(method="wilson")
    assert (found.mean, found.audits) == (pytest.approx(7 / 50), 50)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


def test_an_audit_drawn_at_a_tenth_weighs_five_times_one_drawn_at_a_half() -> None:
    rows = [
        (a_call("1"), an_audit("1", "fruit", rate=0.1)),
        (a_call("2"), an_audit("2", "drinks", rate=0.5)),
    ]
    found = risk(rows, wrong)
    assert found is not None
    assert found.mean == pytest.approx(10 / 12)


def test_unequal_weights_widen_the_interval() -> None:
    def width(rates: tuple[float, float]) -> float:
        said = ["drinks" if n % 5 else "fruit" for n in range(200)]
        rows = [
            (a_call(f"{n}"), an_audit(f"{n}", right, rate=rates[n % 2]))
            for n, right in enumerate(said)
        ]
        found = risk(rows, wrong)
        assert found is not None
        return found.high - found.low

    assert width((0.5, 0.05)) > width((0.5, 0.5))


@pytest.mark.parametrize("right", ["drinks", "fruit"])
def test_even_without_a_single_error_the_interval_has_a_width(right: str) -> None:
    found = risk([(a_call(f"{n}"), an_audit(f"{n}", right)) for n in range(20)], wrong)
    assert found is not None
    assert 0 <= found.low < found.high <= 1
    assert found.low <= found.mean <= found.high


def test_silence_is_not_agreement() -> None:
    # People correct one wrong answer in five. Read from corrections, the risk looks five
    # times too small; read from audits, at two different rates, it is what it is.
    chance = random.Random(4)  # noqa: S311 - simulated people, no secret
    calls: list[Call] = []
    audits: list[tuple[Call, Audit]] = []
    errors = corrections = 0
    for number, line in enumerate(lines(6000, seed=4)):
        rate = 0.05 if line.gold == "drinks" else 0.3
        call = a_call(f"{number}", number, line.text, line.said, audit_rate=rate)
        calls.append(call)
        errors += line.said != line.gold
        corrections += line.said != line.gold and chance.random() < 0.2
        if drawn(call):
            audits.append((call, judged(call, line.gold, "person", id=f"a{number}", at=at(number))))
    truth = errors / len(calls)
    found = risk(audits, wrong)
    assert found is not None
    assert corrections / len(calls) < 0.3 * truth
    assert found.low <= truth <= found.high
    assert not found.low <= corrections / len(calls) <= found.high
