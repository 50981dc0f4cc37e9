"""The queue of audits: fair to whoever stops half-way, and nothing is judged twice."""

from collections import Counter

import pytest
from kiosk_log import a_call, an_audit, at
from scipy.stats import chisquare, kstest

from feilun.records import Call, Ended, Json, Skip
from feilun.tasks import loss
from feilun.testing.kiosk import KIOSK
from feilun.watch import SHOWN, Drawn, disagreement, drawn, in_turn, place


def wrong(output: Json, right: Json) -> float:
    return loss(KIOSK, output, right)


def a_skip(call: str) -> Skip:
    return Skip(id=f"skip-{call}", task=KIOSK.task, at=at(5), call=call)


def waiting(*calls: Call) -> Drawn:
    found = Drawn()
    for call in calls:
        found.call(call)
    return found


def test_the_first_part_of_the_queue_is_a_random_part_of_what_was_drawn() -> None:
    # Two slices at very different rates, and a backlog of which a quarter gets judged.
    for seed in range(20):
        calls = [a_call(f"{seed}-{n}", n, audit_rate=0.8 if n % 4 else 0.2) for n in range(4000)]
        found = waiting(*calls)
        rare = {call.id for call in calls if call.audit_rate == 0.2}
        queue = found.for_people()
        judged = queue[: len(queue) // 4]
        hits = [sum(id in rare for id in judged), sum(id not in rare for id in judged)]
        share = sum(id in rare for id in queue) / len(queue)
        wanted = [share * len(judged), (1 - share) * len(judged)]
        assert chisquare(hits, wanted).pvalue > 0.0005
        moments = [int(id.partition("-")[2]) / 4000 for id in judged]
        assert kstest(moments, "uniform").pvalue > 0.0005


def test_the_judged_part_is_what_a_lower_rate_would_have_drawn() -> None:
    calls = [a_call(f"{n}", n, audit_rate=0.6 if n % 3 else 0.3) for n in range(2000)]
    queue = waiting(*calls).for_people()
    half = {call.id: call.model_copy(update={"audit_rate": call.audit_rate / 2}) for call in calls}
    lower = {id for id, call in half.items() if drawn(call)}
    assert set(queue[: len(lower)]) == lower


def test_the_place_of_a_drawn_call_is_uniform_whatever_its_rate() -> None:
    for rate in (0.05, 0.5, 1.0):
        calls = (a_call(f"{rate}-{n}", audit_rate=rate) for n in range(8000))
        places = [place(call) for call in calls if drawn(call)]
        assert kstest(places, "uniform").pvalue > 0.001


def test_tasks_take_turns_by_their_share() -> None:
    queues = {"long": [f"l{n}" for n in range(30)], "short": [f"s{n}" for n in range(10)]}
    turns = list(in_turn(queues))
    assert sorted(turns) == sorted([*queues["long"], *queues["short"]])
    for end in range(4, 41, 4):
        assert Counter(id[0] for id in turns[:end])["s"] == pytest.approx(end / 4, abs=1)
    assert [id for id in turns if id[0] == "l"] == queues["long"]


def test_a_call_that_was_judged_or_cut_off_waits_no_more() -> None:
    cut = a_call("cut", audit_rate=1.0, ended=Ended.CLIENT_LEFT)
    found = waiting(*(a_call(str(n), audit_rate=1.0) for n in range(5)), cut)
    found.audit(an_audit("3"))
    assert sorted(found.for_people()) == ["0", "1", "2", "4"]
    assert (found.drawn, found.by_person) == (5, 1)


def test_a_skipped_call_goes_to_the_end_and_is_counted_until_somebody_can_tell() -> None:
    found = waiting(*(a_call(str(n), audit_rate=1.0) for n in range(5)))
    first, second, *rest = found.for_people()
    found.skip(a_skip(second))
    found.skip(a_skip(first))
    assert found.for_people() == [*rest, second, first]
    found.skip(a_skip(second))
    assert found.for_people() == [*rest, first, second]
    assert found.skipped == 2
    found.audit(an_audit(first))
    assert (found.skipped, found.by_person) == (1, 1)


def test_people_see_a_tenth_of_what_the_teacher_has_judged() -> None:
    found = waiting(*(a_call(str(n), audit_rate=1.0) for n in range(4000)))
    for n in range(4000):
        found.audit(an_audit(str(n), by="teacher", rate=1.0))
    assert found.by_teacher == 4000
    assert len(found.for_people()) / 4000 == pytest.approx(SHOWN, abs=0.02)
    assert found.for_teacher() == []


def test_the_teacher_is_given_what_nobody_has_judged_and_what_it_can_read() -> None:
    hashed = a_call("hashed", by="student", audit_rate=1.0, kept="hashed")
    said = a_call("said", by="teacher", audit_rate=1.0, kept="hashed")
    found = waiting(a_call("a", audit_rate=1.0), hashed, said, a_call("b", audit_rate=1.0))
    found.audit(an_audit("b"))
    assert sorted(found.for_teacher()) == ["a", "said"]


def test_disagreement_is_of_the_calls_that_both_have_judged() -> None:
    found = waiting(*(a_call(str(n), audit_rate=0.9999) for n in range(40)))
    for n in range(40):
        found.audit(an_audit(str(n), "drinks", by="teacher"))
    for n in range(20):
        found.audit(an_audit(str(n), "fruit" if n < 5 else "drinks"))
    told = disagreement(found.pairs, wrong)
    assert told is not None
    assert told.mean == pytest.approx(0.25)
    assert told.audits == 20
    assert told.low < 0.25 < told.high


def test_where_nobody_has_judged_twice_nothing_is_said_of_disagreement() -> None:
    assert disagreement([], wrong) is None
