"""Adopting a proposal, and reading the raw calls of the past as calls of the task."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from feilun.discovery.match import Matcher
from feilun.discovery.proposal import Proposal
from feilun.discovery.said import message
from feilun.discovery.why_not import SAYS
from feilun.discovery.wording import read
from feilun.errors import NotFound, TaskError
from feilun.records import Adoption, Call, Ended, Json, WhyTeacher, content_id


def pick(proposals: Sequence[Proposal], id: str) -> Proposal:
    """The proposal with this id, or with the one that begins so. Raises NotFound."""
    found = [each for each in proposals if id and each.id.startswith(id)]
    if len(found) != 1:
        what = "Several proposals begin" if found else "No proposal begins"
        raise NotFound(f"{what} with {id!r}. `feilun tasks discover` shows those there are.")
    return found[0]


def adoption(proposal: Proposal, name: str, *, id: str, at: datetime) -> Adoption:
    """The adoption of a proposal as the task `name`. Raises TaskError where it cannot be one."""
    if proposal.why_not is not None:
        raise TaskError(f"{proposal.name} cannot be adopted. {SAYS[proposal.why_not]}")
    return Adoption(
        id=id,
        task=name,
        at=at,
        system=proposal.system,
        head=proposal.head,
        tail=proposal.tail,
        format=proposal.format,
        answer=proposal.answer,
        field=proposal.field,
        labels=dict(proposal.surfaces),
        model=next(iter(proposal.models), None),
        proposal=proposal.id,
    )


def in_force(adoptions: Iterable[Adoption]) -> dict[str, Adoption]:
    """Of each task the adoption that counts, from all adoptions in the order of the log."""
    latest = {each.task: each for each in adoptions}
    return {task: each for task, each in latest.items() if not each.ended}


def calls_of_the_past(
    adopted: Adoption, in_force: Iterable[Adoption], raw: Iterable[Call]
) -> Iterator[Call]:
    """The raw calls that match this adoption best, as calls of its task: `parent` is the raw call.

    They were paid for as raw calls, so they carry neither tokens nor seconds; nobody drew
    them, so they are never audited. A raw call gives the same call every time.
    """
    matcher = Matcher(in_force)
    for call in raw:
        if call.kept != "whole" or call.ended is not Ended.COMPLETE:
            continue
        matched = matcher.match(call.input)
        if matched is None or matched.adoption.id != adopted.id:
            continue
        output = content_read(adopted, call.output)
        if output is None:
            continue
        yield Call(
            id=content_id([adopted.task, call.id]),
            task=adopted.task,
            at=call.at,
            input=matched.input,
            output=output,
            variant=call.variant,
            by="teacher",
            why_teacher=WhyTeacher.NO_RELEASE,
            parent=call.id,
            key=call.key,
        )


def is_copy(call: Call) -> bool:
    """Whether a call is such a copy: its id follows from the raw call's. It was billed there."""
    return call.parent is not None and call.id == content_id([call.task, call.parent])


def content_read(adopted: Adoption, said: Json) -> Json:
    """The output that a message says, or its content alone; None where it says none."""
    if isinstance(said, Mapping):
        found = message(said)
        return read(adopted, found.text) if found.why is None else None
    return read(adopted, said) if isinstance(said, str) else None
