"""A `House`: one store with its stages, and all that people and doors do with them.

Stages are pure where they can be; here they get their records from the store, in the
order of `wheel.py`, and what they write goes back into it. The parts behind the ports are
given to it; `wiring.py` chooses them.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice

from pydantic import ValidationError

from feilun import certify, datasets, discovery, ledger, release, training, watch
from feilun.answer import Answerer
from feilun.discovery import Proposal
from feilun.errors import (
    NotFound,
    ReleaseError,
    StoreError,
    TaskError,
    TrainerError,
    Unreadable,
)
from feilun.ledger import Payback
from feilun.ports import Book, Clock, Engine, Progress, Store, Student, Trainer
from feilun.records import (
    RAW,
    Adoption,
    Audit,
    Call,
    Candidate,
    Certificate,
    Dataset,
    Ended,
    Example,
    Feedback,
    Json,
    Money,
    Posting,
    Price,
    R,
    Record,
    RedLine,
    Refusal,
    Release,
    Task,
    Verdict,
    content_id,
)
from feilun.tasks import declare, loss

# The first calibration takes the youngest of the audits, this share of them.
_CALIBRATION = 0.5

_BATCH = 500  # records that are appended at once


@dataclass(frozen=True)
class Turn:
    """One revolution: what was collected, trained and decided, and where the pointer went.

    A certified candidate stays unreleased where the student at work serves more of the
    same calls; a person may release it.
    """

    dataset: Dataset
    candidate: Candidate
    verdict: Certificate | Refusal
    release: Release | None


class House:
    """One store, its stages, and the methods by which people and doors use them."""

    def __init__(
        self,
        store: Store,
        *,
        book: Book,
        clock: Clock,
        trainer: Trainer,
        others: Sequence[Trainer] = (),
        teachers: Mapping[str, Engine] | None = None,
        audit_rate: float = 0.1,
        device: str = "cpu",
    ) -> None:
        self.store = store
        self.book = book
        self._clock = clock
        self._trainer = trainer  # trains; all of them load what they have trained
        self._trainers = {each.name: each for each in (trainer, *others)}
        self._teachers = dict(teachers or {})
        self.audit_rate = audit_rate
        self._device = device
        self._answerers: dict[str, Answerer] = {}
        self._followed: dict[str, dict[str, str]] = {}  # of a task: kinds, and their latest ids
        self._following = threading.Lock()
        self._priced: set[date] = set()  # days whose prices this house put into the log

    # Declaring and answering

    def declare(self, task: Task) -> None:
        """Make a task known. The same declaration again is no news; another replaces it.

        What the log holds is the declaration at this moment, under an id of its own: a
        task may go back to an earlier one.
        """
        latest = next(reversed(list(self.store.read(Task, task.task))), None)
        now = self._clock.now()
        told = task.model_copy(update={"id": content_id([task.id, now.isoformat()]), "at": now})
        if latest is None or told != latest.model_copy(update={"id": told.id, "at": now}):
            self.store.append(told)
            self._answerers.pop(task.task, None)

    def task(self, name: str) -> Task:
        """The latest declaration of a task. Raises NotFound with the names there are."""
        found = list(self.store.read(Task, name))
        if not found:
            known = ", ".join(self.tasks()) or "none yet"
            raise NotFound(f"No task is called {name!r} in this store. Tasks: {known}.")
        return found[-1]

    def tasks(self) -> list[str]:
        """The names of all tasks, in the order of their first declaration."""
        return list(dict.fromkeys(task.task for task in self.store.read(Task)))

    def answer(self, name: str, input: Json, *, parent: str | None = None) -> Call:
        """Answer one input, durably: the call is in the store before this returns."""
        call = self.ask(name, input, parent=parent)
        self.keep(call)
        return call

    def ask(
        self, name: str, input: Json, *, id: str | None = None, parent: str | None = None
    ) -> Call:
        """Answer without keeping: for replays, which keep a day's records at once."""
        answerer = self.answerer(name)
        return answerer.answer(input, audit_rate=self.audit_rate, id=id, parent=parent)

    def answerer(self, name: str) -> Answerer:
        """Who answers a task, as `refresh` or a move in this house last pointed it."""
        return self._answerers.get(name) or self._follow(name)

    def refresh(self, name: str | None = None) -> list[str]:
        """Follow what other processes wrote: declarations, releases and adoptions.

        Returns the tasks of which something is new, at first all of them: their answerers
        are then at hand. One that cannot be followed says why when it is asked.
        """
        latest: dict[str, dict[str, str]] = {}
        for kind in (Task, Release, Adoption):
            for record in self.store.read(kind, name):
                latest.setdefault(record.task, {})[record.kind] = record.id
        new = {task: ids for task, ids in latest.items() if self._followed.get(task) != ids}
        for task in new:
            try:
                self._follow(task)
            except StoreError:
                self._answerers.pop(task, None)
                del latest[task]
        self._followed |= latest
        return [task for task in new if task in latest]

    def keep(self, *records: Record) -> None:
        """Append records and the prices and postings that go with them, in one durable step."""
        days = {r.at.date(): r.at for r in records if r.at.date() not in self._priced}
        prices = {p.id: p for at in days.values() for p in self._prices(at)}
        self.store.append(*records, *prices.values(), *ledger.postings(records, self.book))
        self._priced.update(days)

    # Discovering

    def proposals(self, progress: Progress | None = None) -> list[Proposal]:
        """The tasks that raw traffic seems to be and that nobody has adopted, the largest first."""
        known = discovery.Matcher(self.adoptions())
        raw = self.store.read(Call, RAW)
        return discovery.propose((c for c in raw if known.match(c.input) is None), progress)

    def proposal(self, id: str, progress: Progress | None = None) -> Proposal:
        """The proposal with this id, or with the one that begins so. Raises NotFound."""
        return discovery.pick(self.proposals(progress), id)

    def adoptions(self) -> list[Adoption]:
        """The adoptions in force."""
        return list(discovery.in_force(self.store.read(Adoption)).values())

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
        held = discovery.in_force(self.store.read(Adoption, name)).get(name)
        if not held or not held.proposal or not held.proposal.startswith(proposal or "?"):
            found = self.proposal(proposal, progress)
            held = discovery.adoption(found, name, **self._now())
            words, form = found.instructions, found.output_schema
            told = declare(name, words, {"type": "string"}, form, line)
            self._check_free(told)
            self.declare(told)
            self.store.append(held)
        else:
            self.declare(self.task(name).model_copy(update={"red_line": line}))
        self._adopt_past(held)
        return self.task(name)

    def abandon(self, name: str) -> Adoption:
        """End an adoption: its requests go to their models again. The task and its calls stay."""
        held = discovery.in_force(self.store.read(Adoption, name)).get(name)
        if held is None:
            known = ", ".join(sorted(each.task for each in self.adoptions())) or "none"
            raise NotFound(f"Task {name!r} is not adopted. Adopted tasks: {known}.")
        ended = held.model_copy(update={**self._now(), "ended": True})
        self.store.append(ended)
        return ended

    def _check_free(self, told: Task) -> None:
        """Refuse the name of a task that was declared by other means than an adoption."""
        name = told.task
        if name == RAW:
            raise TaskError(f"{RAW!r} is the name of raw calls. Choose another one.")
        if name not in self.tasks() or any(True for _ in self.store.read(Adoption, name)):
            return
        asked = {"instructions", "output_schema"}
        if self.task(name).model_dump(include=asked) != told.model_dump(include=asked):
            raise TaskError(f"A task {name!r} is declared already. Choose another name.")

    def _adopt_past(self, adopted: Adoption) -> None:
        """Copy matching raw calls and what was said of them. They are billed as raw calls."""
        name = adopted.task
        held = {call.parent: call.id for call in self.store.read(Call, name) if call.parent}
        raw_calls = self.store.read(Call, RAW)
        calls = discovery.calls_of_the_past(adopted, self.adoptions(), raw_calls)
        for some in _batches(call for call in calls if call.parent not in held):
            self.store.append(*some)
            held |= {call.parent: call.id for call in some if call.parent}
        known = {said.id for said in self.store.read(Feedback, name)}
        raw = (said for said in self.store.read(Feedback, RAW) if said.call in held)
        copied = (self._copied(adopted, said, held[said.call]) for said in raw)
        for batch in _batches(said for said in copied if said and said.id not in known):
            self.store.append(*batch)

    def _copied(self, adopted: Adoption, said: Feedback, call: str) -> Feedback | None:
        """What was said of a raw call as said of its copy; None for no output of the task."""
        output = None
        if said.said == "correction":
            output = discovery.content_read(adopted, said.output)
            if output is None:
                return None
        about = {"id": content_id([adopted.task, said.id]), "task": adopted.task, "call": call}
        return said.model_copy(update={**about, "output": output})

    # Judging

    def correct(self, call: Call, output: Json) -> Feedback:
        """A person says what the right output is."""
        return self._said(Feedback(**self._about(call), said="correction", output=output))

    def rate(self, call: Call, *, accepted: bool, reason: str | None = None) -> Feedback:
        """A person accepts or rejects an answer, and may say why."""
        said = "accepted" if accepted else "rejected"
        return self._said(Feedback(**self._about(call), said=said, reason=reason))

    def outcome(self, call: Call, value: float) -> Feedback:
        """The world says what came of an answer: an order's value, minutes saved."""
        return self._said(Feedback(**self._about(call), said="outcome", value=value))

    def to_audit(self, name: str | None = None) -> Iterator[Call]:
        """The drawn calls that nobody has judged yet, the oldest first."""
        judged = {audit.call for audit in self.store.read(Audit, name)}
        calls = self.store.read(Call, name)
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
        about = self._about(call)
        audit = watch.judged(call, output, "person", id=about["id"], at=about["at"])
        self.keep(audit)
        return audit

    # Turning

    def turn(self, name: str) -> Turn:
        """Collect, train, certify and, with a certificate, release."""
        task = self.task(name)
        until = self._clock.now()
        verdicts = self.verdicts(name)
        attempt = certify.next_attempt(verdicts)
        cut = self._cut(name, verdicts, until)
        built = self.build(name, cut, until)
        self.store.put(built.blob)
        candidate = training.train(
            self._trainer,
            task,
            built.dataset,
            built.train,
            put=self.store.put,
            at=until,
            device=self._device,
        )
        verdict = certify.judge(
            task,
            candidate,
            built.dataset,
            built.calibration,
            self.student(candidate),
            attempt=attempt,
            audit_price=self.audit_price(until),
        )
        self.keep(built.dataset, candidate, verdict)
        moved = None
        if isinstance(verdict, Certificate) and self._serves_more(verdict, built.calibration):
            moved = release.by_certificate(verdict, self.pointer(name), **self._now())
            self._move(moved)
        return Turn(built.dataset, candidate, verdict, moved)

    def build(self, name: str, cut: datetime, until: datetime) -> datasets.Built:
        """The dataset of a task between two moments, from the log as it stands."""
        return datasets.build(
            self.task(name),
            self.store.read(Call, name),
            self.store.read(Feedback, name),
            self.store.read(Audit, name),
            cut=cut,
            until=until,
        )

    def verdicts(self, name: str | None = None) -> list[Certificate | Refusal]:
        """All verdicts in the order of their moments."""
        found: list[Certificate | Refusal] = [
            *self.store.read(Certificate, name),
            *self.store.read(Refusal, name),
        ]
        return sorted(found, key=lambda verdict: (verdict.at, verdict.attempt))

    def audit_price(self, at: datetime) -> Money | None:
        """What one more audit by a person costs, or None where that is unknown."""
        price = self.book.price("audit:person", at)
        return Money(amount=price.amount, currency=price.currency) if price else None

    def student(self, candidate: Candidate) -> Student:
        """Load a candidate. Raises Unreadable, NotFound or Damaged."""
        trainer = self._trainers.get(candidate.trainer)
        if trainer is None:
            raise Unreadable(
                f"Candidate {candidate.id} was trained by {candidate.trainer}, which is not at "
                "hand. Name the folder of its embedder (--embedder, FEILUN_EMBEDDER)."
            )
        return trainer.load(self.store.fetch(candidate.artefact))

    # Releasing

    def pointer(self, name: str) -> Release | None:
        """The release in force."""
        return release.pointer(self.store.read(Release, name))

    def release(self, name: str, certificate: str, reason: str) -> Release:
        """A person releases a certified candidate. ReleaseError: it proves too little."""
        found = self.store.get(Certificate, certificate)
        if found.task != name:
            raise ReleaseError(f"Certificate {certificate} is of task {found.task}, not {name}.")
        if not self._holds(found, self.task(name)):
            raise ReleaseError(
                f"Certificate {certificate} does not prove what task {name} asks now: its "
                "labels, loss or red line have changed. Turn the wheel for a new one."
            )
        moved = release.by_person(found, self.pointer(name), reason=reason, **self._now())
        self._move(moved)
        return moved

    def rollback(self, name: str, reason: str) -> Release:
        """A person moves the pointer back to the teacher."""
        self.task(name)
        moved = release.rollback(self.pointer(name), task=name, reason=reason, **self._now())
        self._move(moved)
        return moved

    # Accounting

    def audited(self, name: str) -> list[tuple[Call, Audit]]:
        """Calls with the audit that counts, in log order."""
        audits: dict[str, list[Audit]] = {}
        for audit in self.store.read(Audit, name):
            audits.setdefault(audit.call, []).append(audit)
        calls = (call for call in self.store.read(Call, name) if call.id in audits)
        return [(call, datasets.deciding_audit(audits[call.id])) for call in calls]

    def risk(self, name: str, by: str | None = None) -> watch.Risk | None:
        """What audits say of the loss of what was served, by whom if `by` is given."""
        task = self.task(name)
        rows = [row for row in self.audited(name) if by is None or row[0].by == by]
        return watch.risk(rows, lambda output, right: loss(task, output, right))

    def payback(self, name: str) -> Payback:
        """When what the students served has paid for what they cost."""
        released = [r.at for r in self.store.read(Release, name) if r.variant is not None]
        return ledger.payback(
            list(self.store.read(Call, name)),
            self.store.read(Posting, name),
            self.book.currency,
            released[-1] if released else None,
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    # Parts

    def _follow(self, name: str) -> Answerer:
        """Make the answerer of a task anew, as the log has it now."""
        with self._following:  # who comes last has read last
            task = self.task(name)
            teacher = self._teachers.get(name) or self._teachers.get("*")
            answerer = Answerer(task, teacher, self._clock, partial(self._entitled, task))
            answerer.point(self.pointer(name))
            self._answerers[name] = answerer
            return answerer

    def _entitled(self, task: Task, moved: Release) -> Student | None:
        """The student of a release, unless the task now asks for what it does not prove."""
        if moved.certificate is not None:
            proof = self.store.get(Certificate, moved.certificate)
            if not self._holds(proof, task):
                return None
        return self._load(moved)

    def _holds(self, proof: Certificate, task: Task) -> bool:
        return release.proves(self.store.get(Task, proof.declaration), task)

    def _load(self, moved: Release) -> Student:
        return self.student(self.store.get(Candidate, moved.variant or ""))

    def _move(self, moved: Release) -> None:
        self.store.append(moved)
        if moved.task in self._answerers:
            self._follow(moved.task)

    def _cut(self, name: str, verdicts: Iterable[Verdict], until: datetime) -> datetime:
        """Where training ends and calibration begins: audits are spent once, in time order."""
        spent = [verdict.at for verdict in verdicts if verdict.delta > 0]
        if spent:
            return max(spent)
        moments = sorted(call.at for call, _ in self.audited(name))
        return moments[-int(len(moments) * _CALIBRATION)] if len(moments) > 1 else until

    def _prices(self, at: datetime) -> Iterator[Price]:
        """The prices in force at a moment: a posting names its price, so the log has them."""
        found = (self.book.price(item, at) for item in self.book.items())
        return (price for price in found if price)

    def _serves_more(self, verdict: Certificate, calibration: Sequence[Example]) -> bool:
        """Whether a certificate serves more of these calls than the student now at work."""
        now = self.pointer(verdict.task)
        if now is None or now.variant is None or now.threshold is None:
            return True
        try:
            said = self._load(now).predict_many([e.input for e in calibration])
        except (StoreError, TrainerError):
            return True
        return verdict.served > sum(p.confidence >= now.threshold for p in said)

    def _said(self, feedback: Feedback) -> Feedback:
        self.keep(feedback)
        return feedback

    def _about(self, call: Call) -> dict[str, Json]:
        return {**self._now(), "task": call.task, "call": call.id}

    def _now(self) -> dict[str, Json]:
        return {"id": self._clock.new_id(), "at": self._clock.now()}


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
