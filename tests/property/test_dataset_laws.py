"""Laws of datasets: the log's order does not matter, and no answer is on both sides."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from kiosk_log import at

from feilun.datasets import Built, build
from feilun.datasets.similar import near_any, same_key
from feilun.records import Audit, Call, Feedback, encode
from feilun.testing.kiosk import GOODS, KIOSK

LABELS = sorted(GOODS)
CUT, UNTIL = at(50), at(100)
minutes = st.integers(-10, 110)
words = st.sampled_from(
    ["tea", "Tea ", "绿茶", "buns", "the newspaper", "the newspapers", "", "可乐"]
)

Log = tuple[list[Call], list[Feedback], list[Audit]]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A small log in which inputs, calls and moments meet. Ids are unique, as they are."""
    calls = [
        Call(
            id=f"call-{n:02}", task=KIOSK.task, at=at(draw(minutes)), input=draw(words),
            output=draw(st.sampled_from(LABELS)), variant="v",
            by=draw(st.sampled_from(["teacher", "student"])), audit_rate=0.5,
        )
        for n in range(draw(st.integers(0, 12)))
    ]  # fmt: skip
    about = st.sampled_from([call.id for call in calls] or ["nobody"])
    feedback = [
        Feedback(
            id=f"said-{n:02}", task=KIOSK.task, at=at(draw(minutes)), call=draw(about),
            said=draw(st.sampled_from(["correction", "accepted", "rejected", "outcome"])),
            output=draw(st.sampled_from(LABELS)),
        )
        for n in range(draw(st.integers(0, 8)))
    ]  # fmt: skip
    audits = [
        Audit(
            id=f"audit-{n:02}", task=KIOSK.task, at=at(draw(minutes)), call=draw(about),
            rate=draw(st.sampled_from([0.1, 0.5, 1.0])), output=draw(st.sampled_from(LABELS)),
            by=draw(st.sampled_from(["person", "teacher"])),
        )
        for n in range(draw(st.integers(0, 8)))
    ]  # fmt: skip
    return calls, feedback, audits


def of(calls: Sequence[Call], feedback: Sequence[Feedback], audits: Sequence[Audit]) -> Built:
    return build(KIOSK, calls, feedback, audits, cut=CUT, until=UNTIL)


@settings(max_examples=60)
@given(logs(), st.data())
def test_the_order_of_the_log_does_not_matter(log: Log, data: st.DataObject) -> None:
    shuffled = [data.draw(st.permutations(rows)) for rows in log]
    one, other = of(*log), of(*shuffled)
    assert encode(one.dataset) == encode(other.dataset)
    assert one.blob == other.blob


@settings(max_examples=30)
@given(logs())
def test_building_again_builds_the_same(log: Log) -> None:
    assert of(*log) == of(*log)


@settings(max_examples=60)
@given(logs())
def test_what_is_said_after_the_end_changes_nothing_before_it(log: Log) -> None:
    calls, feedback, audits = log
    heard = of(
        [call for call in calls if call.at < UNTIL],
        [said for said in feedback if said.at < UNTIL],
        [audit for audit in audits if audit.at < UNTIL],
    )
    assert of(*log) == heard


@settings(max_examples=60)
@given(logs())
def test_the_two_sides_share_no_call_and_no_input_and_stand_on_their_side_of_the_cut(
    log: Log,
) -> None:
    found = of(*log)
    assert all(example.at < CUT for example in found.train)
    assert all(CUT <= example.at < UNTIL for example in found.calibration)
    near = near_any(
        [same_key(e.input) for e in found.train], [same_key(e.input) for e in found.calibration]
    )
    assert not near.any()


@settings(max_examples=60)
@given(logs())
def test_every_judgement_is_somebodys_and_every_count_adds_up(log: Log) -> None:
    calls, feedback, audits = log
    found = of(*log)
    by_id = {call.id: call for call in calls}
    said = {(f.call, f.output) for f in feedback if f.said == "correction"}
    said |= {(a.call, a.output) for a in audits}
    for example in found.train:
        answered = (example.source in {"accepted", "teacher"}) and (
            by_id[example.call].output == example.output
        )
        assert answered or (example.call, example.output) in said
    for example in found.calibration:
        assert example.source == "audit"
        assert (example.call, example.output) in {(a.call, a.output) for a in audits}
    dataset = found.dataset
    assert (dataset.train, dataset.calibration) == (len(found.train), len(found.calibration))
    assert len({same_key(e.input) for e in found.train}) == len(found.train)
    assert dataset.until - dataset.cut == timedelta(minutes=50)
