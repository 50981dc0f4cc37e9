"""All of it: the chain first, and on a whole log everything that stages made of it."""

from collections.abc import Iterator

from feilun.house import House
from feilun.ports import Head, Progress
from feilun.verify.alarms import alarms
from feilun.verify.check import Check
from feilun.verify.log import log_problems
from feilun.verify.plans import plans
from feilun.verify.postings import postings
from feilun.verify.releases import releases
from feilun.verify.trials import trials
from feilun.verify.verdicts import verdicts


def verify(
    house: House, progress: Progress | None = None, noted: Head | None = None
) -> Iterator[Check]:
    """Walk every row, then derive every dataset, verdict, release, trial and alarm again.

    With a head that was noted before, the log must still contain it. From a log that is
    not whole nothing is derived.
    """
    broken = False
    for check in log_problems(house, progress, noted):
        broken = True
        yield check
    if broken:
        return
    yield from verdicts(house, progress)
    yield from releases(house)
    yield from trials(house)
    yield from plans(house, progress)
    yield from alarms(house)
    yield from postings(house, progress)
