"""Trials begin and end by records; the latest of a task says whether one is running."""

from collections.abc import Iterable

from feilun.errors import ReleaseError
from feilun.records import Certificate, Instant, Trial
from feilun.tasks import thresholds


def running(trials: Iterable[Trial]) -> Trial | None:
    """The trial that a task's records leave running, or None."""
    last = None
    for trial in trials:
        last = trial
    return None if last is None or last.ended else last


def shadow(
    task: str, candidate: str, threshold: float, slices: dict[str, float] | None, *, id: str,
    at: Instant, reason: str,
) -> Trial:  # fmt: skip
    """A candidate speaks beside each answer. Nobody is served by it, so it needs no proof."""
    return Trial(
        id=id, task=task, at=at, trial=id, variant=candidate, threshold=threshold, slices=slices,
        how="shadow", reason=_reason(reason),
    )  # fmt: skip


def canary(certificate: Certificate, share: float, *, id: str, at: Instant, reason: str) -> Trial:
    """A certified candidate has the first word on a share of the calls. Raises ReleaseError."""
    if not 0 < share <= 1:
        raise ReleaseError(f"A canary's share is above 0 and at most 1, as in 0.05; got {share}.")
    return Trial(
        id=id, task=certificate.task, at=at, trial=id, variant=certificate.candidate,
        threshold=certificate.threshold, slices=thresholds(certificate.slices), how="canary",
        share=share, certificate=certificate.id, reason=_reason(reason),
    )  # fmt: skip


def ended(trial: Trial, *, id: str, at: Instant, reason: str) -> Trial:
    """The same trial, over."""
    return trial.model_copy(update={"id": id, "at": at, "reason": _reason(reason), "ended": True})


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ReleaseError("Say why: a trial carries its reason into the log.")
    return reason.strip()
