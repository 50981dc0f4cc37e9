"""The pointer: which variant answers a task.

A certificate or a person moves it to a student, an alarm or a person moves it back.
"""

from collections.abc import Iterable

from feilun.errors import ReleaseError
from feilun.records import Alarm, Certificate, Instant, Release, Task, WhyAlarm, content_id
from feilun.tasks import thresholds

__all__ = ["by_alarm", "by_certificate", "by_person", "may_return", "pointer", "proves", "rollback"]


_SAYS = {
    WhyAlarm.RISK: "audits show a loss above the red line",
    WhyAlarm.SLOW: "more than one answer in twenty is slower than the red line allows",
    WhyAlarm.COST: "an accepted result costs more than the red line allows",
    WhyAlarm.NEVER: "an audit found an answer that must never be given",
}


def pointer(releases: Iterable[Release]) -> Release | None:
    """Where the pointer stands: the last release, or None while the teacher answers."""
    last = None
    for release in releases:
        last = release
    return last


def proves(tested: Task, asked: Task) -> bool:
    """Whether a certificate for `tested` holds for `asked`, a later declaration of the task.

    Instructions and shots speak to the teacher and may change; the red line may loosen.
    """
    strict = tested.red_line.max_loss <= asked.red_line.max_loss
    sure = tested.red_line.confidence >= asked.red_line.confidence
    # What holds in each slice holds for all calls together; the reverse is not so.
    fine = asked.red_line.per in {None, tested.red_line.per}
    same = (tested.input_schema, tested.output_schema, tested.loss)
    whole = same == (asked.input_schema, asked.output_schema, asked.loss)
    return strict and sure and fine and whole


def by_certificate(
    certificate: Certificate, previous: Release | None, *, id: str, at: Instant
) -> Release:
    """Release the certified candidate at its certified threshold."""
    return Release(
        id=id,
        task=certificate.task,
        at=at,
        variant=certificate.candidate,
        threshold=certificate.threshold,
        slices=thresholds(certificate.slices),
        by="certificate",
        certificate=certificate.id,
        previous=previous.id if previous else None,
        reason=(
            f"loss at most {certificate.max_loss:.1%} at confidence {1 - certificate.delta:.2%} "
            f"on {certificate.coverage:.1%} of calls"
        ),
    )


def may_return(certificate: Certificate, alarms: Iterable[Alarm]) -> bool:
    """Whether a certificate may release its candidate by itself.

    A student that an alarm has called back needs a person who has understood why.
    """
    return all(alarm.variant != certificate.candidate for alarm in alarms)


def by_alarm(alarm: Alarm, previous: Release, *, at: Instant) -> Release:
    """An alarm moves the pointer back to the teacher.

    Its id follows from the alarm: two processes that see the same evidence make one move.
    """
    return Release(
        id=content_id([alarm.id]),
        task=alarm.task,
        at=at,
        variant=None,
        by="alarm",
        previous=previous.id,
        alarm=alarm.id,
        reason=_SAYS[alarm.why],
    )


def by_person(
    certificate: Certificate, previous: Release | None, *, id: str, at: Instant, reason: str
) -> Release:
    """A person puts a certified candidate back to work, for a reason."""
    release = by_certificate(certificate, previous, id=id, at=at)
    return release.model_copy(update={"by": "person", "reason": _reason(reason)})


def rollback(previous: Release | None, *, task: str, id: str, at: Instant, reason: str) -> Release:
    """A person moves the pointer back to the teacher. Raises ReleaseError if it is there."""
    if previous is None or previous.variant is None:
        raise ReleaseError(f"Task {task}: the teacher answers already; there is nothing to undo.")
    return Release(
        id=id,
        task=task,
        at=at,
        variant=None,
        by="person",
        previous=previous.id,
        reason=_reason(reason),
    )


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ReleaseError("Say why: a move by a person carries its reason into the log.")
    return reason.strip()
