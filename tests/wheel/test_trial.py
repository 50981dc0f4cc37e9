"""A careful team: a candidate in the shadow, then as a canary, then at work; and one that fails."""

from kiosk_log import Stand, opened

from feilun.records import Certificate, Trial, WhyTeacher
from feilun.tasks import leads, loss
from feilun.testing.kiosk import KIOSK
from feilun.trials import Shown
from feilun.verify import verify


def test_a_candidate_is_tried_before_it_is_released() -> None:
    # A kiosk's student holds a certificate and a release. Its team is careful: it moves the
    # pointer back to the teacher, and tries the student first.
    kiosk = opened()
    house, trials = kiosk.house, kiosk.house.trials
    truth = {line.text: line.gold for line in kiosk.traffic}
    proof = next(iter(house.store.read(Certificate)))
    house.rollback(KIOSK.task, "let us try it first")

    # In the shadow the teacher answers every customer, and the student says beside each answer
    # what it would have said. Nobody waits for that, and nobody is served by it.
    trials.start_shadow(KIOSK.task, proof.candidate, "what would it have said?")
    shadowed = kiosk.serve(300)
    assert {call.why_teacher for call in shadowed} == {WhyTeacher.NO_RELEASE}
    asides = [call.aside for call in shadowed if call.aside]
    assert len(asides) == len(shadowed)
    assert {aside.variant for aside in asides} == {proof.candidate}

    # What people say of the audited calls judges both. The student is right where it is sure,
    # the teacher is wrong on one line in five; at any time the team may look whether enough
    # audits have come in to say so.
    shown = trials.show(KIOSK.task)
    assert shown is not None
    assert shown.incumbent is None
    told = shown.comparison
    assert told.evidence.pairs > 50
    assert (told.candidate_loss or 0) < (told.incumbent_loss or 0)
    assert told.evidence.shown is Shown.BETTER
    assert told.evidence.low < (told.evidence.difference or 0) < told.evidence.high < 0
    assert (told.candidate_share or 0) > 0.7
    assert (told.candidate_seconds or 1) < 0.1 < (told.incumbent_seconds or 0)
    trials.stop(KIOSK.task, "it did well")

    # Now every tenth customer is to be answered by it. For that it must be certified, and it
    # answers only where it is as sure as it was certified to be.
    canary = trials.start_canary(KIOSK.task, proof.id, 0.1, "a few customers first")
    served = kiosk.serve(300)
    led = [call for call in served if leads("canary", canary.trial, 0.1, call.id)]
    by_student = [call for call in served if call.by == "student"]
    assert 15 <= len(led) <= 48
    assert {call.id for call in by_student} <= {call.id for call in led}
    assert all((call.confidence or 0) >= proof.threshold for call in by_student)
    assert {call.trial for call in served} == {canary.trial}

    # A trial moves no pointer. The certificate that entitled to it before still does, and a
    # person uses it; the canary is over with that.
    assert house.pointer(KIOSK.task) is not None
    moved = house.release(KIOSK.task, proof.id, "better than the teacher, in the shadow too")
    assert moved.variant == proof.candidate
    at_work = [call for call in kiosk.serve(200) if call.by == "student"]
    assert {call.trial for call in at_work} == {None}
    assert list(house.store.read(Trial))[-1].reason == "the candidate was released"
    assert len(at_work) > 120
    wrong = sum(loss(KIOSK, call.output, truth[call.input]) for call in at_work)
    assert wrong / len(at_work) <= KIOSK.red_line.max_loss

    # Whoever doubts it derives it again.
    assert [check.problem for check in verify(house) if check.problem] == []


def test_a_canary_that_does_harm_is_ended_by_what_audits_say() -> None:
    # The same student is tried again beside the teacher, for half of the customers, on the
    # very day on which all goods are put on other shelves. The teacher has been told.
    kiosk = opened()
    house = kiosk.house
    proof = next(iter(house.store.read(Certificate)))
    house.rollback(KIOSK.task, "the shelves are being moved")
    trial = house.trials.start_canary(KIOSK.task, proof.id, 0.5, "is it still right?")
    kiosk.rearrange()

    # Nobody decides anything. Each audit is looked at when it comes in; after some of them it
    # is shown that the student loses more, and the trial ends itself and says why.
    customers = 0
    while house.trials.running(KIOSK.task) and customers < 200:
        kiosk.serve(1)
        customers += 1
    over = list(house.store.read(Trial))[-1]
    assert (over.trial, over.ended) == (trial.trial, True)
    assert "shown worse" in over.reason

    # From the next call on the teacher answers everybody again, and the log tells the story.
    assert {(call.by, call.trial) for call in kiosk.serve(10)} == {("teacher", None)}
    assert [(t.how, t.ended) for t in house.store.read(Trial)] == [
        ("canary", False), ("canary", True),
    ]  # fmt: skip
    again = Stand(store=house.store, seed=4)
    assert again.house.trials.show(KIOSK.task) == house.trials.show(KIOSK.task)
