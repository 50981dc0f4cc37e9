"""Releases: the pointer moved to a student only where a certificate allowed it, and by
itself moved back only where an alarm was raised."""

from collections.abc import Iterator

from feilun.errors import StoreError, TrainerError
from feilun.house import House
from feilun.records import Alarm, Candidate, Certificate, Release
from feilun.tasks import thresholds
from feilun.verify.check import Check


def releases(house: House) -> Iterator[Check]:
    """Each move of a pointer, held against what entitles to it."""
    for moved in house.store.read(Release):
        yield Check("release", moved.id, moved.task, _problem(house, moved))


def _problem(house: House, moved: Release) -> str | None:
    if moved.variant is None:
        return _unasked(house, moved)
    if moved.certificate is None:
        return "a student was released without a certificate"
    try:
        certificate = house.store.get(Certificate, moved.certificate)
        allowed = (certificate.candidate, certificate.threshold, thresholds(certificate.slices))
        if allowed != (moved.variant, moved.threshold, moved.slices):
            return f"it does not serve what certificate {certificate.id} allows"
        house.student(house.store.get(Candidate, moved.variant))
    except (StoreError, TrainerError) as error:
        return str(error)
    return None


def _unasked(house: House, moved: Release) -> str | None:
    """Whether a move back that no person made has its alarm."""
    if moved.by == "person":
        return None
    try:
        alarm = house.store.get(Alarm, moved.alarm or "")
    except StoreError:
        return "the pointer moved back without an alarm and without a person"
    return None if alarm.release == moved.previous else f"alarm {alarm.id} is of another release"
