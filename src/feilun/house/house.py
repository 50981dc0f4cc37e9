"""A `House`: one store with its stages, and all that people and doors do with them.

Stages are pure where they can be; here they get their records from the store, in the
order of `wheel.py`, and what they write goes back into it. The parts behind the ports are
given to it; `wiring.py` chooses them.
"""

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from feilun import certify, datasets, release, training
from feilun.answer import Answerer
from feilun.errors import (
    ReleaseError,
    StoreError,
    TrainerError,
    Unreadable,
)
from feilun.house.accounts import Accounts
from feilun.house.asking import Asking
from feilun.house.auditing import Auditing
from feilun.house.discovery import Discovery
from feilun.house.guarding import Guarding
from feilun.house.log import Log
from feilun.house.past import Until
from feilun.house.planning import Gathered, Planning
from feilun.house.queues import Queues
from feilun.house.trials import Trials
from feilun.house.watching import Watching
from feilun.ports import Book, Clock, Engine, Prediction, Progress, Store, Student, Trainer
from feilun.records import (
    Adoption,
    Alarm,
    Audit,
    Call,
    Candidate,
    Certificate,
    Dataset,
    Example,
    Feedback,
    Json,
    Refusal,
    Release,
    Task,
    Trial,
    Verdict,
)
from feilun.tasks import threshold_of

# The first calibration takes the youngest of the audits, this share of them.
_CALIBRATION = 0.5


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


class House(Log):
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
        super().__init__(store, book, clock)
        self.discovery = Discovery(self)
        self.guarding = Guarding(self, self._point, self._changed)
        self.watching = Watching(self, self._look)
        queues = Queues(self)
        self.auditing = Auditing(
            self, queues, self.watching.look, lambda: self.guarding.rates(self._audits_per_day)
        )
        self.asking = Asking(self, queues, self.watching.look)
        self.accounts = Accounts(self)
        self.trials = Trials(self, self.student, self._changed)
        self._trainer = trainer  # trains; all of them load what they have trained
        self._trainers = {each.name: each for each in (trainer, *others)}
        self.planning = Planning(
            self, trainer, self.gathered, lambda seen, by: self.as_of(seen, by).planning
        )
        self._teachers = dict(teachers or {})
        self.audit_rate = audit_rate
        self._audits_per_day: float | None = None
        self._device = device
        self._answerers: dict[str, Answerer] = {}
        self._followed: dict[str, dict[str, str]] = {}  # of a task: kinds, and their latest ids
        self._following = threading.Lock()

    # Declaring and answering

    def declare(self, task: Task) -> None:
        """Make a task known, and answer it as it says from now on."""
        super().declare(task)
        self._answerers.pop(task.task, None)

    def answer(
        self, name: str, input: Json, *, parent: str | None = None, tenant: str | None = None
    ) -> Call:
        """Answer one input, durably: the call is in the store before this returns."""
        call = self.ask(name, input, parent=parent, tenant=tenant)
        self.keep(call)
        return call

    def ask(
        self,
        name: str,
        input: Json,
        *,
        id: str | None = None,
        parent: str | None = None,
        tenant: str | None = None,
    ) -> Call:
        """Answer without keeping: for replays, which keep a day's records at once."""
        answerer, rate = self.answerer(name), self.audit_rate
        return answerer.answer(input, audit_rate=rate, id=id, parent=parent, tenant=tenant)

    def proof(self, call: Call) -> str | None:
        """The certificate by which a student answered a call: that of its release or trial."""
        if call.by != "student":
            return None
        if call.release is not None:
            return self.store.get(Release, call.release).certificate
        return None if call.trial is None else self.store.get(Trial, call.trial).certificate

    def answerer(self, name: str) -> Answerer:
        """Who answers a task, as `refresh` or a move in this house last pointed it."""
        return self._answerers.get(name) or self._follow(name)

    def refresh(self, name: str | None = None) -> list[str]:
        """Follow what other processes wrote: declarations, releases, adoptions and trials.

        Returns the tasks of which something is new, at first all of them: their answerers
        are then at hand. One that cannot be followed says why when it is asked.
        """
        latest: dict[str, dict[str, str]] = {}
        for kind in (Task, Release, Adoption, Trial):
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

    def redraw(self, per_day: float | None = None) -> None:
        """Draw the calls of each task as often as the last look says that it is needed.

        `per_day` is the budget: so many audits a day of all that students serve. Until this
        is called, calls are drawn at the rate that is asked for.
        """
        self._audits_per_day = per_day
        rates = self.guarding.rates(per_day)
        for name, answerer in list(self._answerers.items()):
            answerer.draw(rates[name].drawing if name in rates else None)

    # Judging

    def correct(self, call: Call, output: Json) -> Feedback:
        """A person says what the right output is."""
        return self._said(Feedback(**self.about(call), said="correction", output=output))

    def rate(self, call: Call, *, accepted: bool, reason: str | None = None) -> Feedback:
        """A person accepts or rejects an answer, and may say why."""
        said = "accepted" if accepted else "rejected"
        return self._said(Feedback(**self.about(call), said=said, reason=reason))

    def outcome(self, call: Call, value: float) -> Feedback:
        """The world says what came of an answer: an order's value, minutes saved."""
        return self._said(Feedback(**self.about(call), said="outcome", value=value))

    # Turning

    def turn(self, name: str) -> Turn:
        """Collect, train, certify and, with a certificate, release."""
        task = self.task(name)
        until = self.clock.now()
        gathered = self.gathered(name, until)
        built = gathered.built
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
            attempt=gathered.attempt,
            audit_price=self.accounts.audit_price(until),
        )
        self.keep(built.dataset, candidate, verdict)
        moved = None
        if isinstance(verdict, Certificate) and self._may_serve(verdict, built.calibration):
            moved = release.by_certificate(verdict, self.pointer(name), **self.now())
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

    def gathered(self, name: str, until: datetime) -> Gathered:
        """What a turn takes at a moment: its dataset, the number of its look."""
        verdicts = self.verdicts(name)
        built = self.build(name, self._cut(name, verdicts, until), until)
        attempt = certify.next_attempt(verdicts)
        return Gathered(built, attempt, _CALIBRATION if attempt == 1 else 1.0)

    def student(self, candidate: Candidate) -> Student:
        """Load a candidate. Raises Unreadable, NotFound or Damaged."""
        trainer = self._trainer_of(candidate.trainer)
        return trainer.load(self.store.fetch(candidate.artefact))

    def as_of(self, seen: int, trainer: str) -> "House":
        """This house on the log as it was at row `seen`, to read. Raises Unreadable."""
        return House(
            Until(self.store, seen),
            book=self.book,
            clock=self.clock,
            trainer=self._trainer_of(trainer),
            others=tuple(self._trainers.values()),
        )

    # Releasing

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
        moved = release.by_person(found, self.pointer(name), reason=reason, **self.now())
        self._move(moved)
        return moved

    def rollback(self, name: str, reason: str) -> Release:
        """A person moves the pointer back to the teacher."""
        self.task(name)
        moved = release.rollback(self.pointer(name), task=name, reason=reason, **self.now())
        self._move(moved)
        return moved

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    # Parts

    def _trainer_of(self, name: str) -> Trainer:
        if name not in self._trainers:
            raise Unreadable(
                f"The trainer {name} is not at hand. Name the folder of its embedder "
                "(--embedder, FEILUN_EMBEDDER)."
            )
        return self._trainers[name]

    def _follow(self, name: str) -> Answerer:
        """Make the answerer of a task anew, as the log has it now."""
        with self._following:  # who comes last has read last
            task = self.task(name)
            teacher = self._teachers.get(name) or self._teachers.get("*")
            answerer = Answerer(task, teacher, self.clock, partial(self._entitled, task))
            answerer.point(self.pointer(name))
            if tried := self.trials.at_work(task):
                answerer.try_out(*tried)
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
        self._changed(moved.task)

    def _look(self, name: str | None, progress: Progress | None) -> list[Alarm]:
        """Call back a student that is over its line; end a canary that does harm."""
        alarms = self.guarding.look(name, progress)
        self.trials.look(name)
        return alarms

    def _changed(self, name: str) -> None:
        """Follow at once what was written here of a task."""
        if name in self._answerers:
            self._follow(name)

    def _cut(self, name: str, verdicts: Iterable[Verdict], until: datetime) -> datetime:
        """Where training ends and calibration begins: audits are spent once, in time order."""
        spent = [verdict.at for verdict in verdicts if verdict.delta > 0]
        if spent:
            return max(spent)
        moments = sorted(call.at for call, _ in self.auditing.audited(name))
        return moments[-int(len(moments) * _CALIBRATION)] if len(moments) > 1 else until

    def _point(self, moved: Release) -> None:
        """Let whoever answers a task in this house follow a move at once."""
        if moved.task in self._answerers:
            self._answerers[moved.task].point(moved)

    def _may_serve(self, verdict: Certificate, calibration: Sequence[Example]) -> bool:
        """Whether a certificate moves the pointer by itself."""
        alarms = self.store.read(Alarm, verdict.task)
        return release.may_return(verdict, alarms) and self._serves_more(verdict, calibration)

    def _serves_more(self, verdict: Certificate, calibration: Sequence[Example]) -> bool:
        """Whether a certificate serves more of these calls than the student now at work."""
        now = self.pointer(verdict.task)
        if now is None or now.variant is None:
            return True
        try:
            said = self._load(now).predict_many([e.input for e in calibration])
        except (StoreError, TrainerError):
            return True
        pairs = zip(calibration, said, strict=True)
        return verdict.served > sum(p.confidence >= _threshold(now, e, p) for e, p in pairs)

    def _said(self, feedback: Feedback) -> Feedback:
        self.keep(feedback)
        return feedback


def _threshold(now: Release, example: Example, said: Prediction) -> float:
    """From which confidence on a student serves an example; out of reach where it never does."""
    own = now.threshold
    if now.slices is not None:
        own = threshold_of(now.slices, example.input, said.output, example.tenant)
    return math.inf if own is None else own
