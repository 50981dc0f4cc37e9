"""Alarms: the evidence is made again from the audits and calls up to the one that decided."""

import math
from collections.abc import Iterator

from feilun import watch
from feilun.errors import StoreError
from feilun.house import House
from feilun.records import Alarm, Audit, Call, Release, Task, WhyAlarm
from feilun.verify.check import Check, different_field

# Sums of floats may differ in their last bits from machine to machine.
_ALIKE = 1e-9


def alarms(house: House) -> Iterator[Check]:
    """Each alarm, raised again."""
    for alarm in house.store.read(Alarm):
        yield Check("alarm", alarm.id, alarm.task, _problem(house, alarm))


def _problem(house: House, alarm: Alarm) -> str | None:
    try:
        moved = house.store.get(Release, alarm.release)
        guard = house.guarding.begin(_asked(house, alarm), moved)
        found = _again(house, alarm, guard)
    except StoreError as error:
        return str(error)
    if found is None:
        return f"the log up to {alarm.last} gives no alarm"
    again = guard.alarm(found, alarm.at)
    if _alike(alarm.evidence, again.evidence):
        again = again.model_copy(update={"evidence": alarm.evidence})
    return different_field(alarm, again)


def _asked(house: House, alarm: Alarm) -> Task:
    """The declaration that was in force."""
    told = [task for task in house.store.read(Task, alarm.task) if task.at <= alarm.at]
    return told[-1] if told else house.task(alarm.task)


def _again(house: House, alarm: Alarm, guard: watch.Guard) -> watch.Found | None:
    """Show a guard what the alarm rests on; what it found at the last of it."""
    found = None
    if alarm.why is WhyAlarm.SLOW:
        for call in house.store.read(Call, alarm.task):
            found = guard.call(call)
            if found or call.id == alarm.last:
                break
        return found
    for audit in house.store.read(Audit, alarm.task):
        found = guard.audit(house.store.get(Call, audit.call), audit)
        if found or audit.id == alarm.last:
            break
    return found


def _alike(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and math.isclose(one, other, rel_tol=_ALIKE)
