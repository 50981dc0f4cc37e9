"""The house's watch: which calls are audited, what audits say, and what follows."""

from collections.abc import Iterator

from feilun import datasets, watch
from feilun.errors import TaskError
from feilun.house.log import Log
from feilun.records import Audit, Call, Ended, Json
from feilun.tasks import loss


class Watching:
    """Audits of the calls of a log, and the risk that they show."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def to_audit(self, name: str | None = None) -> Iterator[Call]:
        """The drawn calls that nobody has judged yet, the oldest first."""
        judged = {audit.call for audit in self._log.store.read(Audit, name)}
        calls = self._log.store.read(Call, name)
        whole = (call for call in calls if call.ended is Ended.COMPLETE)
        return (call for call in whole if watch.drawn(call) and call.id not in judged)

    def audit(self, call: Call, output: Json) -> Audit:
        """A person judges a drawn call: `output` is the right one.

        Raises TaskError for a call that was not drawn: audits certify because chance alone
        picks them.
        """
        if not watch.drawn(call):
            raise TaskError(
                f"Task {call.task}: call {call.id} was not drawn for an audit. Correct or rate "
                "it instead: what people pick themselves trains, and cannot certify."
            )
        about = self._log.about(call)
        audit = watch.judged(call, output, "person", id=about["id"], at=about["at"])
        self._log.keep(audit)
        return audit

    def audited(self, name: str) -> list[tuple[Call, Audit]]:
        """Calls with the audit that counts, in log order."""
        audits: dict[str, list[Audit]] = {}
        for audit in self._log.store.read(Audit, name):
            audits.setdefault(audit.call, []).append(audit)
        calls = (call for call in self._log.store.read(Call, name) if call.id in audits)
        return [(call, datasets.deciding_audit(audits[call.id])) for call in calls]

    def risk(self, name: str, by: str | None = None) -> watch.Risk | None:
        """What audits say of the loss of what was served, by whom if `by` is given."""
        task = self._log.task(name)
        rows = [row for row in self.audited(name) if by is None or row[0].by == by]
        return watch.risk(rows, lambda output, right: loss(task, output, right))
