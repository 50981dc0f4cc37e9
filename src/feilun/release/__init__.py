"""The pointer: which variant answers a task. Only a certificate or a person moves it."""

from collections.abc import Iterable

from feilun.errors import ReleaseError
from feilun.records import Certificate, Instant, Release, Task

__all__ = ["by_certificate", "by_person", "pointer", "proves", "rollback"]


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
    same = (tested.input_schema, tested.output_schema, tested.loss)
    return strict and sure and same == (asked.input_schema, asked.output_schema, asked.loss)


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
        by="certificate",
        certificate=certificate.id,
        previous=previous.id if previous else None,
        reason=(
            f"loss at most {certificate.max_loss:.1%} at confidence {1 - certificate.delta:.2%} "
            f"on {certificate.coverage:.1%} of calls"
        ),
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
