"""The house's watch: what is new is held against the lines, and what follows."""

from collections.abc import Callable
from datetime import datetime

from feilun.house.log import Log
from feilun.ports import Progress
from feilun.records import Alarm, Drift


class Watching:
    """Looks at what was served, and at what it says of the traffic."""

    def __init__(
        self, log: Log, look: Callable[[str | None, Progress | None], list[Alarm]]
    ) -> None:
        self._log = log
        self._look = look

    def look(self, name: str | None = None, progress: Progress | None = None) -> list[Alarm]:
        """Hold what is new in the log against its lines, of one task or of all.

        Returns the alarms that this raised; the pointer is back at the teacher then. Where
        nobody looks nothing is raised: a gateway looks every second.
        """
        return self._look(name, progress)

    def drifted(self, name: str) -> datetime | None:
        """When the traffic of a task last changed, by an early warning; None for never."""
        last = None
        for drift in self._log.store.read(Drift, name):
            last = drift.at
        return last
