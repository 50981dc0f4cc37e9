"""The house's discovery: what raw traffic seems to ask, and the tasks that people make of it."""

from collections.abc import Iterable, Iterator
from itertools import islice

from pydantic import ValidationError

from feilun import discovery
from feilun.discovery import Proposal
from feilun.errors import NotFound, TaskError
from feilun.house.log import Log
from feilun.ports import Progress
from feilun.records import RAW, Adoption, Call, Feedback, R, RedLine, Task, content_id
from feilun.tasks import declare

_BATCH = 500  # records that are appended at once


class Discovery:
    """Proposes tasks from the raw calls of a log, and adopts them."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def proposals(self, progress: Progress | None = None) -> list[Proposal]:
        """The tasks that raw traffic seems to be and that nobody has adopted, the largest first."""
        known = discovery.Matcher(self.adoptions())
        raw = self._log.store.read(Call, RAW)
        return discovery.propose((c for c in raw if known.match(c.input) is None), progress)

    def proposal(self, id: str, progress: Progress | None = None) -> Proposal:
        """The proposal with this id, or with the one that begins so. Raises NotFound."""
        return discovery.pick(self.proposals(progress), id)

    def adoptions(self) -> list[Adoption]:
        """The adoptions in force."""
        return list(discovery.in_force(self._log.store.read(Adoption)).values())

    def adopt(
        self,
        proposal: str,
        name: str,
        max_loss: float,
        confidence: float = 0.95,
        progress: Progress | None = None,
    ) -> Task:
        """Make a task of a proposal: its requests of the past are calls of it, and all to come.

        `proposal` is an id, or what it begins with. To adopt it again under the same name is
        no news, sets the red line, and finishes what was cut off. Raises NotFound for an id
        that no proposal has, TaskError for a name or a proposal that cannot be taken.
        """
        line = _red_line(name, max_loss, confidence)
        held = discovery.in_force(self._log.store.read(Adoption, name)).get(name)
        if not held or not held.proposal or not held.proposal.startswith(proposal or "?"):
            found = self.proposal(proposal, progress)
            held = discovery.adoption(found, name, **self._log.now())
            words, form = found.instructions, found.output_schema
            told = declare(name, words, {"type": "string"}, form, line)
            self._check_free(told)
            self._log.declare(told)
            self._log.store.append(held)
        else:
            self._log.declare(self._log.task(name).model_copy(update={"red_line": line}))
        self._adopt_past(held)
        return self._log.task(name)

    def abandon(self, name: str) -> Adoption:
        """End an adoption: its requests go to their models again. The task and its calls stay."""
        held = discovery.in_force(self._log.store.read(Adoption, name)).get(name)
        if held is None:
            known = ", ".join(sorted(each.task for each in self.adoptions())) or "none"
            raise NotFound(f"Task {name!r} is not adopted. Adopted tasks: {known}.")
        ended = held.model_copy(update={**self._log.now(), "ended": True})
        self._log.store.append(ended)
        return ended

    def _check_free(self, told: Task) -> None:
        """Refuse the name of a task that was declared by other means than an adoption."""
        name = told.task
        if name == RAW:
            raise TaskError(f"{RAW!r} is the name of raw calls. Choose another one.")
        if name not in self._log.tasks() or any(True for _ in self._log.store.read(Adoption, name)):
            return
        asked = {"instructions", "output_schema"}
        if self._log.task(name).model_dump(include=asked) != told.model_dump(include=asked):
            raise TaskError(f"A task {name!r} is declared already. Choose another name.")

    def _adopt_past(self, adopted: Adoption) -> None:
        """Copy matching raw calls and what was said of them. They are billed as raw calls."""
        name = adopted.task
        old = (call for call in self._log.store.read(Call, name) if discovery.is_copy(call))
        held = {call.parent: call.id for call in old if call.parent}
        raw_calls = self._log.store.read(Call, RAW)
        calls = discovery.calls_of_the_past(adopted, self.adoptions(), raw_calls)
        for some in _batches(call for call in calls if call.parent not in held):
            self._log.store.append(*some)
            held |= {call.parent: call.id for call in some if call.parent}
        known = {said.id for said in self._log.store.read(Feedback, name)}
        raw = (said for said in self._log.store.read(Feedback, RAW) if said.call in held)
        copied = (self._copied(adopted, said, held[said.call]) for said in raw)
        for batch in _batches(said for said in copied if said and said.id not in known):
            self._log.store.append(*batch)

    def _copied(self, adopted: Adoption, said: Feedback, call: str) -> Feedback | None:
        """What was said of a raw call as said of its copy; None for no output of the task."""
        output = None
        if said.said == "correction":
            output = discovery.content_read(adopted, said.output)
            if output is None:
                return None
        about = {"id": content_id([adopted.task, said.id]), "task": adopted.task, "call": call}
        return said.model_copy(update={**about, "output": output})


def _red_line(name: str, max_loss: float, confidence: float) -> RedLine:
    try:
        return RedLine(max_loss=max_loss, confidence=confidence)
    except ValidationError as error:
        raise TaskError(
            f"Task {name}: a red line's maximum loss lies between 0 and 1, its confidence "
            f"between 0.5 and 1; got {max_loss} and {confidence}."
        ) from error


def _batches(records: Iterable[R]) -> Iterator[list[R]]:
    """Records in lists of some hundreds, so that memory stays bounded."""
    rest = iter(records)
    while some := list(islice(rest, _BATCH)):
        yield some
