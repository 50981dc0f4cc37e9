"""Trials: who leads, who speaks beside, what is counted, and when a canary ends by itself."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Literal

import pytest
from kiosk_log import NOON, Stand, a_call, an_audit, moved, opened

from feilun.answer import Answerer, Asked
from feilun.errors import NotFound, ReleaseError
from feilun.ports import Prediction, Student
from feilun.records import (
    Aside,
    Audit,
    Call,
    Candidate,
    Certificate,
    Ended,
    Json,
    Never,
    Release,
    Trial,
    WhyTeacher,
)
from feilun.tasks import leads
from feilun.testing import FakeClock, FakeEngine, FakeStudent, MemoryStore
from feilun.testing.kiosk import KIOSK
from feilun.trials import Shown, Tally, canary, running, weigh
from feilun.trials.evidence import ALPHA

OLD = FakeStudent({'"sure"': ["fruit", 0.9], '"half"': ["fruit", 0.9]}, ["fruit", 0.1])
NEW = FakeStudent({'"sure"': ["drinks", 0.8], '"new"': ["drinks", 0.8]}, ["drinks", 0.1])
RELEASE = Release(
    id="move-1", task=KIOSK.task, at=NOON, variant="old", threshold=0.8, by="certificate",
    certificate="proof", reason="it holds",
)  # fmt: skip


def a_trial(how: Literal["shadow", "canary"] = "shadow", share: float = 1.0) -> Trial:
    return Trial(
        id="trial-1", task=KIOSK.task, at=NOON, trial="trial-1", variant="new", threshold=0.7,
        how=how, share=share, certificate=None if how == "shadow" else "proof-2", reason="-",
    )  # fmt: skip


def an_answerer(trial: Trial, *, release: Release | None = RELEASE, new: Student = NEW) -> Answerer:
    answerer = Answerer(KIOSK, FakeEngine(lambda _: "papers"), FakeClock(), lambda _: OLD)
    answerer.point(release)
    answerer.try_out(trial, new)
    return answerer


# Who answers, and who speaks beside


def test_in_the_shadow_the_incumbent_answers_and_the_candidate_speaks_beside() -> None:
    call = an_answerer(a_trial()).answer("sure", audit_rate=0)
    assert (call.output, call.variant, call.release, call.trial) == (
        "fruit", "old", "move-1", "trial-1",
    )  # fmt: skip
    assert call.aside is not None
    assert (call.aside.variant, call.aside.output, call.aside.sure) == ("new", "drinks", True)


def test_the_teachers_calls_are_shadowed_too() -> None:
    for release in (RELEASE, None):
        call = an_answerer(a_trial(), release=release).answer("new", audit_rate=0)
        assert (call.by, call.output) == ("teacher", "papers")
        assert call.aside is not None
        assert (call.aside.output, call.aside.sure) == ("drinks", True)
    call = an_answerer(a_trial()).answer("nobody knows", audit_rate=0)
    assert call.aside is not None
    assert call.aside.sure is False


def test_a_canary_answers_at_its_own_threshold_and_the_incumbent_speaks_beside() -> None:
    answerer = an_answerer(a_trial("canary"))
    call = answerer.answer("sure", audit_rate=0)
    assert (call.output, call.by, call.variant) == ("drinks", "student", "new")
    assert (call.release, call.trial, call.confidence) == (None, "trial-1", 0.8)
    assert call.aside is not None
    assert (call.aside.variant, call.aside.output, call.aside.sure) == ("old", "fruit", True)
    unsure = answerer.answer("half", audit_rate=0)
    assert (unsure.by, unsure.why_teacher) == ("teacher", WhyTeacher.UNSURE)
    assert unsure.aside is not None
    assert unsure.aside.sure is True


def test_a_canary_beside_a_teacher_has_nobody_to_speak_beside_it() -> None:
    call = an_answerer(a_trial("canary"), release=None).answer("sure", audit_rate=0)
    assert (call.variant, call.trial, call.aside) == ("new", "trial-1", None)


def test_the_lot_decides_who_leads_and_every_call_is_paired() -> None:
    answerer = an_answerer(a_trial("canary", share=0.25))
    asked = [Asked("sure", id=f"call-{number}") for number in range(2000)]
    begun = answerer.begin_many(asked, audit_rate=0)
    assert [one.id for one in begun] == [one.id for one in asked]
    calls = answerer.beside([answerer.by_student(one) for one in begun])
    led = [call for call in calls if call.variant == "new"]
    assert 440 <= len(led) <= 560
    assert {c.id for c in led} == {c.id for c in calls if leads("canary", "trial-1", 0.25, c.id)}
    assert {(c.variant, c.aside and c.aside.variant) for c in calls} == {
        ("old", "new"), ("new", "old"),
    }  # fmt: skip
    assert {c.release for c in led} == {None}


def test_another_trial_draws_other_calls() -> None:
    one, two = (
        {n for n in range(500) if leads("canary", name, 0.5, str(n))} for name in ("a", "b")
    )
    assert 200 < len(one) < 300
    assert 80 < len(one & two) < 170  # a quarter, as of two that know nothing of each other


class Slow(FakeStudent):
    """Says on a clock of its own that it took a while."""

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        total = 0
        for number in range(200_000):  # a few milliseconds of work
            total += number
        return super().predict_many(inputs)


def test_the_time_of_the_shadow_is_not_the_callers() -> None:
    call = an_answerer(a_trial(), new=Slow({}, ["drinks", 0.9])).answer("sure", audit_rate=0)
    assert call.aside is not None
    assert call.aside.seconds > 0.001 > call.seconds == call.student_seconds


class Broken(FakeStudent):
    """A student that fails at its work."""

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        raise ValueError(f"cannot: {inputs!r}")


def test_a_candidate_that_fails_in_the_shadow_fails_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = an_answerer(a_trial(), new=Broken({}, [])).answer("sure", audit_rate=0)
    assert (call.output, call.aside, call.trial) == ("fruit", None, "trial-1")
    assert "new" in caplog.text
    assert "ValueError" in caplog.text
    assert "sure" not in caplog.text  # nothing of an input is told


def test_a_canary_that_fails_leaves_the_word_to_the_teacher() -> None:
    call = an_answerer(a_trial("canary"), new=Broken({}, [])).answer("sure", audit_rate=0)
    assert (call.by, call.why_teacher) == ("teacher", WhyTeacher.UNREADABLE)
    assert call.aside is not None  # the incumbent still speaks


def test_a_candidate_that_says_what_the_task_does_not_allow_would_not_have_served() -> None:
    odd = FakeStudent({}, ["no shelf", 1.0])
    shadow = an_answerer(a_trial(), new=odd).answer("sure", audit_rate=0)
    assert shadow.aside is not None
    assert shadow.aside.sure is False
    led = an_answerer(a_trial("canary"), new=odd).answer("sure", audit_rate=0)
    assert (led.by, led.why_teacher) == ("teacher", WhyTeacher.INVALID)


def test_calls_of_another_trial_are_left_as_they_are() -> None:
    other = a_call("1").model_copy(update={"trial": "trial-0"})
    assert an_answerer(a_trial()).beside([other, a_call("2")]) == [other, a_call("2")]


def test_without_a_trial_calls_are_what_they_were() -> None:
    answerer = Answerer(KIOSK, None, FakeClock(), lambda _: OLD)
    answerer.point(RELEASE)
    call = answerer.answer("sure", audit_rate=0)
    assert (call.trial, call.aside) == (None, None)
    assert answerer.beside([call]) == [call]


# Evidence


def by_hand(pairs: list[tuple[float, float]], m: float) -> float:
    """The wealth of the bet on more than m, as it grows audit by audit."""
    wealth = {0.01 * 99 ** (k / 23): 1.0 for k in range(24)}
    for d, w in pairs:
        over = (1 + d) / (1 + m) - 1
        wealth = {u: held * (1 + w * u * over) for u, held in wealth.items()}
    return sum(wealth.values()) / 24


def test_the_evidence_is_the_mean_wealth_of_fixed_bets() -> None:
    pairs = [(1.0, 1.0)] * 9 + [(0.0, 1.0)] * 40 + [(-1.0, 0.5)] * 2 + [(0.0, 0.5)] * 5
    found = weigh(Counter(pairs))
    assert found.worse == pytest.approx(by_hand(pairs, 0))
    assert found.better == pytest.approx(by_hand([(-d, w) for d, w in pairs], 0))
    assert found.difference == pytest.approx((9 - 1) / (9 + 40 + 1 + 2.5))
    limit = 2 / ALPHA
    assert by_hand(pairs, found.low) >= limit * 0.999 > by_hand(pairs, found.low + 1e-6) * 0.999
    mirrored = [(-d, w) for d, w in pairs]
    assert by_hand(mirrored, -found.high) >= limit * 0.999
    assert found.low < (found.difference or 0) < found.high


def test_nothing_seen_shows_nothing() -> None:
    found = weigh({})
    assert (found.pairs, found.difference, found.shown) == (0, None, Shown.OPEN)
    assert (found.worse, found.better) == (1, 1)
    assert (found.low, found.high) == pytest.approx((-1, 1))


@pytest.mark.parametrize(
    ("d", "shown"), [(1.0, Shown.WORSE), (-1.0, Shown.BETTER), (0.0, Shown.OPEN)]
)
def test_ten_of_a_kind_show_it_and_no_number_of_ties_does(d: float, shown: Shown) -> None:
    found = weigh({(d, 1.0): 10 if d else 10_000})
    assert found.shown is shown
    assert (found.low > 0) is (shown is Shown.WORSE)
    assert (found.high < 0) is (shown is Shown.BETTER)


def test_very_much_evidence_is_still_a_number() -> None:
    found = weigh({(1.0, 1.0): 100_000})
    assert math.isfinite(found.worse)
    assert found.better == 0 or found.better < 1e-6
    assert 0.99 < found.low <= 1


# The tally


def an_aside(output: Json = "drinks", *, variant: str = "new", sure: bool = True) -> Aside:
    return Aside(variant=variant, output=output, confidence=0.8, sure=sure, seconds=0.002)


def a_pair(id: str, *, variant: str = "old", **more: Json) -> Call:
    facts = {"by": "student", "output": "fruit", "release": "move-1", "trial": "trial-1",
             "student_seconds": 0.001, "aside": an_aside()}  # fmt: skip
    return a_call(id, **{**facts, **more}).model_copy(update={"variant": variant})


def a_tally(trial: Trial | None = None, incumbent: str | None = "old") -> Tally:
    release = "move-1" if incumbent else None
    return Tally(
        trial or a_trial(),
        incumbent,
        release,
        lambda said, right: float(said != right),
        lambda said, right: "no papers" if said == "papers" != right else None,
    )


def tallied(calls: list[Call], audits: list[Audit], tally: Tally | None = None) -> Tally:
    tally = tally or a_tally()
    for call in calls:
        tally.see(call, drawn=True)
    for audit in audits:
        tally.judge(audit)
    return tally


def test_a_pair_is_what_both_would_have_served_and_an_audit_judged() -> None:
    calls = [a_pair(f"{n}") for n in range(4)]
    audits = [an_audit("0", "drinks"), an_audit("1", "fruit"), an_audit("2", "fruit")]
    found = tallied(calls, audits).comparison()
    assert (found.calls, found.evidence.pairs) == (4, 3)
    assert (found.candidate_loss, found.incumbent_loss) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert found.evidence.difference == pytest.approx(1 / 3)
    assert (found.candidate_share, found.incumbent_share) == (1, 1)
    assert (found.candidate_seconds, found.incumbent_seconds) == (0.002, 0.001)


@pytest.mark.parametrize(
    "more",
    [
        {"trial": "another"},
        {"trial": None},
        {"aside": None},
        {"release": "move-0"},
        {"ended": Ended.CLIENT_LEFT},
    ],
    ids=str,
)
def test_what_is_not_of_this_comparison_is_not_counted(more: dict[str, Json]) -> None:
    found = tallied([a_pair("0", **more)], [an_audit("0", "drinks")]).comparison()
    assert (found.calls, found.evidence.pairs) == (0, 0)


def test_where_one_would_not_have_served_there_is_no_pair_but_a_share() -> None:
    calls = [a_pair("0", aside=an_aside(sure=False)), a_pair("1", by="teacher", variant="large")]
    found = tallied(calls, [an_audit("0"), an_audit("1")]).comparison()
    assert (found.calls, found.evidence.pairs) == (2, 0)
    assert (found.candidate_share, found.incumbent_share) == (0.5, 0.5)


def test_calls_that_were_not_drawn_are_not_remembered() -> None:
    tally = a_tally()
    tally.see(a_pair("0"), drawn=False)
    tally.judge(an_audit("0"))
    assert tally.comparison().evidence.pairs == 0
    assert tally.comparison().calls == 1


def test_what_a_canary_led_counts_with_the_sides_changed() -> None:
    trial = a_trial("canary")
    led = a_pair("0", variant="new", output="drinks", release=None,
                 aside=an_aside("fruit", variant="old"))  # fmt: skip
    found = tallied([led], [an_audit("0", "drinks")], a_tally(trial)).comparison()
    assert (found.candidate_loss, found.incumbent_loss) == (0, 1)
    assert (found.candidate_seconds, found.incumbent_seconds) == (0.001, 0.002)
    other = led.model_copy(update={"aside": an_aside("fruit", variant="older")})
    assert tallied([other], [], a_tally(trial)).comparison().calls == 0


def test_beside_a_teacher_only_people_judge() -> None:
    call = a_pair("0", by="teacher", variant="large", release=None, seconds=0.7)
    for by, pairs in (("teacher", 0), ("person", 1)):
        found = tallied([call], [an_audit("0", "drinks", by=by)], a_tally(incumbent=None))
        assert found.comparison().evidence.pairs == pairs
    told = found.comparison()
    assert (told.candidate_loss, told.incumbent_loss) == (0, 1)
    assert (told.candidate_share, told.incumbent_share) == (1, 0)
    assert told.incumbent_seconds == 0.7


def test_a_person_outranks_the_teacher_and_the_later_word_the_earlier() -> None:
    first, second = an_audit("0", "drinks", by="person"), an_audit("0", "fruit", 2, by="teacher")
    assert tallied([a_pair("0")], [first, second]).comparison().candidate_loss == 0
    third = an_audit("0", "fruit", 3, by="person")
    assert tallied([a_pair("0")], [first, second, third]).comparison().candidate_loss == 1
    assert tallied([a_pair("0")], [third, first]).comparison().candidate_loss == 1


def test_a_call_of_a_slice_that_is_drawn_more_often_weighs_less() -> None:
    calls = [a_pair("0", common_rate=0.1), a_pair("1")]
    audits = [an_audit("0", "drinks", rate=0.4), an_audit("1", "fruit", rate=0.1)]
    found = tallied(calls, audits).comparison()
    assert found.evidence.difference == pytest.approx((0.25 * -1 + 1) / 1.25)
    assert found.candidate_loss == pytest.approx(1 / 1.25)


def test_an_answer_that_must_never_be_given_is_found_led_or_beside() -> None:
    beside = a_pair("0", by="teacher", release=None, aside=an_aside("papers"))
    found = tallied([beside], [an_audit("0", "papers")], a_tally(incumbent=None))
    assert found.broken is None
    found.judge(an_audit("0", "fruit", 2))
    assert found.broken == "no papers"
    led = a_pair("1", variant="new", output="papers", release=None, aside=None)
    canary = tallied([led], [an_audit("1", "fruit")], a_tally(a_trial("canary"), None))
    assert (canary.broken, canary.comparison().calls) == ("no papers", 0)
    unsure = a_pair("0", aside=an_aside("papers", sure=False))
    assert tallied([unsure], [an_audit("0", "fruit")]).broken is None


# In a house


@cache
def _log() -> Stand:
    stand = opened()
    stand.serve(60)
    assert stand.turn().release is None
    return stand


def a_stand() -> Stand:
    """A stand whose student holds a release, and that has a second candidate."""
    before, store = _log(), MemoryStore()
    moved(before, store)
    return Stand(store=store, start=before.clock.now(), seed=1)


def a_candidate(stand: Stand) -> str:
    """The second one: it was refused, since it was trained too soon after the first."""
    return list(stand.store.read(Candidate))[-1].id


def test_a_trial_is_running_until_its_last_record_ends_it() -> None:
    trial = a_trial()
    over = trial.model_copy(update={"id": "2", "ended": True})
    assert running([]) is None
    assert running([trial]) == trial
    assert running([trial, over]) is None
    assert running([trial, over, trial]) == trial


@pytest.mark.parametrize("share", [0, -0.1, 1.01])
def test_a_canary_needs_a_share(share: float) -> None:
    stand = a_stand()
    proof = next(iter(stand.store.read(Certificate)))
    with pytest.raises(ReleaseError, match="share"):
        canary(proof, share, id="1", at=NOON, reason="try")


def test_every_trial_has_its_reason() -> None:
    stand = a_stand()
    candidate = a_candidate(stand)
    with pytest.raises(ReleaseError, match="Say why"):
        stand.house.trials.start_shadow(KIOSK.task, candidate, " ")


def test_a_shadow_of_a_candidate_without_a_certificate_guesses_its_threshold() -> None:
    stand = a_stand()
    trial = stand.house.trials.start_shadow(KIOSK.task, a_candidate(stand), "is it better?")
    calls = stand.serve(100)
    sure = sum(call.aside.sure for call in calls if call.aside)
    assert 0 < trial.threshold < 1
    assert trial.certificate is None
    assert 60 <= sure <= 99


def test_one_trial_at_a_time_and_not_of_who_is_at_work_nor_of_another_task() -> None:
    stand = a_stand()
    house, candidate = stand.house, a_candidate(stand)
    pointer = house.pointer(KIOSK.task)
    assert pointer is not None
    with pytest.raises(ReleaseError, match="already"):
        house.trials.start_shadow(KIOSK.task, pointer.variant or "", "why not")
    with pytest.raises(ReleaseError, match="already"):
        house.trials.start_canary(KIOSK.task, pointer.certificate or "", 0.5, "why not")
    house.trials.start_shadow(KIOSK.task, candidate, "first")
    with pytest.raises(ReleaseError, match="feilun trial stop"):
        house.trials.start_shadow(KIOSK.task, candidate, "second")
    with pytest.raises(NotFound):
        house.trials.start_shadow("kiosk.self", candidate, "no such task")
    house.declare(KIOSK.model_copy(update={"id": "other", "task": "kiosk.mood"}))
    with pytest.raises(ReleaseError, match=r"of task kiosk\.shelf"):
        house.trials.start_shadow("kiosk.mood", candidate, "wrong task")
    with pytest.raises(NotFound):
        house.trials.start_shadow(KIOSK.task, "nobody", "no such candidate")


def test_a_canary_needs_a_certificate_that_proves_what_the_task_asks_now() -> None:
    stand = a_stand()
    pointer = stand.house.pointer(KIOSK.task)
    assert pointer is not None
    stand.house.rollback(KIOSK.task, "for the test")
    stricter = KIOSK.red_line.model_copy(update={"max_loss": 0.01})
    stand.house.declare(KIOSK.model_copy(update={"red_line": stricter}))
    with pytest.raises(ReleaseError, match="does not prove"):
        stand.house.trials.start_canary(KIOSK.task, pointer.certificate or "", 0.5, "try")


def test_a_canary_ends_to_serve_when_the_task_asks_for_more_than_it_proves() -> None:
    stand, trial = a_canary(share=1.0)
    assert {call.trial for call in stand.serve(3)} == {trial.trial}
    stricter = KIOSK.red_line.model_copy(update={"max_loss": 0.01})
    stand.clock.advance(timedelta(minutes=1))
    stand.house.declare(KIOSK.model_copy(update={"red_line": stricter}))
    assert {call.trial for call in stand.serve(3)} == {None}


def a_canary(share: float = 0.5) -> tuple[Stand, Trial]:
    """The opened stand's student as a canary beside the teacher."""
    stand = a_stand()
    pointer = stand.house.pointer(KIOSK.task)
    assert pointer is not None
    stand.house.rollback(KIOSK.task, "to try it first")
    stand.clock.advance(timedelta(minutes=1))
    proof = pointer.certificate or ""
    return stand, stand.house.trials.start_canary(KIOSK.task, proof, share, "a careful start")


def test_a_stopped_trial_is_over_with_the_next_call_and_stays_to_be_seen() -> None:
    stand, trial = a_canary()
    stand.serve(40)
    stand.house.trials.stop(KIOSK.task, "enough")
    assert {call.trial for call in stand.serve(5)} == {None}
    shown = stand.house.trials.show(KIOSK.task)
    assert shown is not None
    assert (shown.trial.ended, shown.trial.reason, shown.trial.trial) == (
        True,
        "enough",
        trial.trial,
    )
    assert shown.comparison.calls > 0
    with pytest.raises(ReleaseError, match="nothing to stop"):
        stand.house.trials.stop(KIOSK.task, "again")


def test_a_task_without_a_trial_shows_none() -> None:
    stand = Stand()
    assert stand.house.trials.show(KIOSK.task) is None
    assert stand.house.trials.look() == []
    with pytest.raises(NotFound):
        stand.house.trials.show("kiosk.self")


def test_a_released_candidate_is_no_longer_on_trial() -> None:
    stand, trial = a_canary()
    stand.serve(5)
    stand.house.release(KIOSK.task, trial.certificate or "", "it did well")
    assert {call.trial for call in stand.serve(5)} == {None}
    stand.house.rollback(KIOSK.task, "no it did not")
    assert {call.trial for call in stand.serve(5)} == {None}  # the trial does not come back
    stand.house.trials.look()
    over = list(stand.store.read(Trial))[-1]
    assert (over.ended, over.reason) == (True, "the candidate was released")
    assert stand.house.trials.look() == []


def test_another_house_follows_a_trial_and_its_end() -> None:
    stand, trial = a_canary(share=1.0)
    other = Stand(store=stand.store, start=stand.clock.now(), seed=1)
    assert {call.trial for call in other.serve(3)} == {trial.trial}
    stand.house.trials.stop(KIOSK.task, "enough")
    assert other.house.refresh() == [KIOSK.task]
    assert {call.trial for call in other.serve(3)} == {None}


def test_what_was_counted_step_by_step_is_what_a_new_house_counts() -> None:
    stand, _ = a_canary()
    for _ in range(4):
        stand.serve(25)
        stand.house.trials.look()
    one = stand.house.trials.show(KIOSK.task)
    two = Stand(store=stand.store, seed=1).house.trials.show(KIOSK.task)
    assert one is not None
    assert one == two
    assert one.comparison.evidence.pairs > 5


def test_a_canary_that_is_shown_worse_ends_with_the_audit_that_shows_it() -> None:
    stand, trial = a_canary()
    stand.rearrange()
    customers = 0
    while stand.house.trials.running(KIOSK.task) and customers < 200:
        assert {call.trial for call in stand.serve(1)} == {trial.trial}
        customers += 1
    over = list(stand.store.read(Trial))[-1]
    assert (over.trial, over.ended, over.task) == (trial.trial, True, KIOSK.task)
    assert over.reason.startswith("shown worse than the incumbent: its loss is +")
    assert {call.trial for call in stand.serve(3)} == {None}
    shown = stand.house.trials.show(KIOSK.task)
    assert shown is not None
    assert shown.comparison.evidence.shown is Shown.WORSE
    assert shown.comparison.evidence.pairs < 30
    assert stand.house.trials.look() == []


def test_a_canary_ends_with_an_answer_that_must_never_be_given() -> None:
    rule = Never(name="no bread for tea", answer={"const": "bakery"}, right={"const": "papers"})
    line = KIOSK.red_line.model_copy(update={"never": (rule,)})
    stand, trial = a_canary()
    stand.house.declare(KIOSK.model_copy(update={"red_line": line}))
    stand.rearrange()  # bread now stands where the papers stood
    while stand.house.trials.running(KIOSK.task):
        (call,) = stand.serve(1)
    over = list(stand.store.read(Trial))[-1]
    assert over.trial == trial.trial
    assert "'no bread for tea' forbids" in over.reason
    assert call.trial == trial.trial
    shown = stand.house.trials.show(KIOSK.task)
    assert shown is not None
    assert shown.broken == "no bread for tea"


def test_a_shadow_that_is_worse_goes_on_since_nobody_is_served_by_it() -> None:
    stand = a_stand()
    stand.house.trials.start_shadow(KIOSK.task, a_candidate(stand), "how bad is it?")
    stand.serve(30)
    assert stand.house.trials.look() == []
