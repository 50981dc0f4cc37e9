"""Trials: a canary had the first word only where a certificate allowed it."""

from collections.abc import Iterator

from feilun.errors import StoreError
from feilun.house import House
from feilun.records import Certificate, Trial
from feilun.tasks import thresholds
from feilun.verify.check import Check


def trials(house: House) -> Iterator[Check]:
    """Each state of a trial, held against what entitles to it and against how it began."""
    begun: dict[str, Trial] = {}
    for trial in house.store.read(Trial):
        first = begun.setdefault(trial.trial, trial)
        yield Check("trial", trial.id, trial.task, _problem(house, trial, first))


def _problem(house: House, trial: Trial, first: Trial) -> str | None:
    kept = {"id": first.id, "at": first.at, "reason": first.reason, "ended": first.ended}
    if trial.model_copy(update=kept) != first:
        return f"it is not the trial that began as {first.id}"
    if trial.how == "shadow":
        return None
    if trial.certificate is None:
        return "a canary was let to customers without a certificate"
    try:
        proof = house.store.get(Certificate, trial.certificate)
    except StoreError as error:
        return str(error)
    allowed = (proof.task, proof.candidate, proof.threshold, thresholds(proof.slices))
    if allowed != (trial.task, trial.variant, trial.threshold, trial.slices):
        return f"it does not serve what certificate {proof.id} allows"
    return None
