"""The house's trials: a candidate beside the incumbent, in the shadow or as a canary."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from feilun import release, trials, watch
from feilun.errors import ReleaseError, StoreError, TrainerError
from feilun.house.log import Log
from feilun.ports import Student
from feilun.records import Audit, Call, Candidate, Certificate, Json, Release, Task, Trial
from feilun.tasks import broken_never, loss, thresholds
from feilun.trials import Comparison, Shown, Tally

# Of a candidate without a certificate: its threshold is guessed on so many calls.
_LATEST = 500


@dataclass(frozen=True)
class Tried:
    """A trial, whether it runs, and what it has shown of the candidate."""

    trial: Trial
    incumbent: str | None  # the variant at work; None for the teacher
    comparison: Comparison
    broken: str | None = None  # a rule without tolerance that the candidate was found to break

    def told(self) -> dict[str, Json]:
        """The same for a program."""
        facts, evidence = asdict(self.comparison), self.comparison.evidence
        return {
            "trial": self.trial.model_dump(mode="json"),
            "incumbent": self.incumbent,
            "shown": evidence.shown.value,
            "broken": self.broken,
            **facts.pop("evidence"),
            **facts,
        }


@dataclass
class _Counted:
    """A tally, what it was made for, and up to which row of the log it has counted."""

    key: tuple[str, str | None, str]
    tally: Tally
    seen: int = 0


class Trials:
    """Starting, watching and ending the trials of a log. One of a task at a time.

    `load` makes a student of a candidate, and `changed` hears of a task whose trial has
    begun or ended.
    """

    def __init__(
        self, log: Log, load: Callable[[Candidate], Student], changed: Callable[[str], None]
    ) -> None:
        self._log = log
        self._load = load
        self._changed = changed
        self._counted: dict[str, _Counted] = {}  # of a task
        self._counting = threading.Lock()

    def start_shadow(self, name: str, candidate: str, reason: str) -> Trial:
        """Let a candidate speak beside each answer. Raises NotFound, ReleaseError.

        It would serve at its certified threshold; without a certificate, at that at which it
        is expected to hold the line on the latest calls.
        """
        task, found = self._log.task(name), self._log.store.get(Candidate, candidate)
        self._check(found.task, name, candidate)
        proofs = [c for c in self._log.store.read(Certificate, name) if c.candidate == candidate]
        if proofs:
            threshold, slices = proofs[-1].threshold, thresholds(proofs[-1].slices)
        else:
            threshold, slices = self._expected_threshold(task, found), None
        begun = trials.shadow(name, candidate, threshold, slices, **self._log.now(), reason=reason)
        return self._keep(begun)

    def start_canary(self, name: str, certificate: str, share: float, reason: str) -> Trial:
        """Give a certified candidate the first word on a share of the calls.

        Raises NotFound, and ReleaseError for a certificate that does not prove what the task
        asks now.
        """
        task, proof = self._log.task(name), self._log.store.get(Certificate, certificate)
        self._check(proof.task, name, proof.candidate)
        if not self._holds(proof, task):
            raise ReleaseError(
                f"Certificate {certificate} does not prove what task {name} asks now: its labels, "
                "loss or red line have changed. Turn the wheel for a new one, or start a shadow."
            )
        self._load(self._log.store.get(Candidate, proof.candidate))
        return self._keep(trials.canary(proof, share, **self._log.now(), reason=reason))

    def stop(self, name: str, reason: str) -> Trial:
        """End the trial of a task; the incumbent has all calls again. Raises ReleaseError."""
        self._log.task(name)
        trial = self.running(name)
        if trial is None:
            raise ReleaseError(f"Task {name} has no trial that runs: there is nothing to stop.")
        return self._keep(trials.ended(trial, **self._log.now(), reason=reason))

    def running(self, name: str) -> Trial | None:
        """The trial of a task that runs now. That of a candidate since released is over."""
        found = list(self._log.store.read(Trial, name))
        trial = trials.running(found)
        if trial is None:
            return None
        moves = list(self._log.store.read(Release, name))
        begun = next(each.at for each in found if each.trial == trial.trial)
        released = any(m.variant == trial.variant and m.at > begun for m in moves)
        now = release.pointer(moves)
        at_work = now is not None and now.variant == trial.variant
        return None if released or at_work else trial

    def at_work(self, task: Task) -> tuple[Trial, Student] | None:
        """The running trial of a task and its candidate, if it may be tried and can be read."""
        trial = self.running(task.task)
        if trial is None:
            return None
        try:
            proof = trial.certificate and self._log.store.get(Certificate, trial.certificate)
            if proof and not self._holds(proof, task):
                return None
            return trial, self._load(self._log.store.get(Candidate, trial.variant))
        except (StoreError, TrainerError):
            return None

    def show(self, name: str) -> Tried | None:
        """The latest trial of a task, running or ended, and what it has shown; None without one."""
        self._log.task(name)
        latest = next(reversed(list(self._log.store.read(Trial, name))), None)
        return None if latest is None else self._compare(latest)

    def look(self, name: str | None = None) -> list[Trial]:
        """End the canaries that are shown to be worse, and the trials of what was released.

        Looking costs nothing: the evidence holds whenever one looks.
        """
        names = [name] if name else list({t.task for t in self._log.store.read(Trial)})
        ended = []
        for each in names:
            trial = trials.running(self._log.store.read(Trial, each))
            why = None if trial is None else self._over(trial)
            if trial is not None and why is not None:
                ended.append(self._keep(trials.ended(trial, **self._log.now(), reason=why)))
        return ended

    def _over(self, trial: Trial) -> str | None:
        """Why a trial is to end by itself, or None."""
        if self.running(trial.task) is None:
            return "the candidate was released"
        if trial.how == "shadow":
            return None
        found = self._compare(trial)
        if found.broken is not None:
            return f"an audit found an answer of it that rule {found.broken!r} forbids"
        evidence = found.comparison.evidence
        if evidence.shown is not Shown.WORSE:
            return None
        return (
            f"shown worse than the incumbent: its loss is {evidence.low:+.1%} to "
            f"{evidence.high:+.1%} above, on {evidence.pairs} audits"
        )

    def _compare(self, trial: Trial) -> Tried:
        """Count what is new since the last look. A new incumbent is a new comparison."""
        store, name = self._log.store, trial.task
        moves = (
            move
            for move in store.read(Release, name)
            if move.variant != trial.variant and not (trial.ended and move.at > trial.at)
        )
        now = release.pointer(moves)
        incumbent = now.variant if now else None
        at_work = now.id if now and incumbent else None
        task = self._log.task(name)
        key = (trial.trial, at_work, task.id)  # with another of them all is counted anew
        with self._counting:
            counted = self._counted.pop(name, None)  # one cut off half-way is not gone on with
            if counted is None or counted.key != key:
                never = partial(_never, task)
                tally = Tally(trial, incumbent, at_work, partial(loss, task), never)
                counted = _Counted(key, tally)
            until = store.head().seq
            for call in store.read(Call, name, after=counted.seen, until=until):
                counted.tally.see(call, drawn=watch.drawn(call))
            for audit in store.read(Audit, name, after=counted.seen, until=until):
                counted.tally.judge(audit)
            counted.seen = until
            self._counted[name] = counted
            tally = counted.tally
            return Tried(trial, incumbent, tally.comparison(), tally.broken)

    def _check(self, task: str, name: str, candidate: str) -> None:
        if task != name:
            raise ReleaseError(f"Candidate {candidate} is of task {task}, not {name}.")
        now = self._log.pointer(name)
        if now is not None and now.variant == candidate:
            raise ReleaseError(f"Candidate {candidate} answers task {name} already.")
        if self.running(name) is not None:
            raise ReleaseError(
                f"Task {name} has a trial already. Stop it first: `feilun trial stop {name}`."
            )

    def _holds(self, proof: Certificate, task: Task) -> bool:
        return release.proves(self._log.store.get(Task, proof.declaration), task)

    def _expected_threshold(self, task: Task, candidate: Candidate) -> float:
        """At which it serves as many of the latest calls as it expects to hold the line on."""
        line = task.red_line.max_loss
        held = [point.coverage for point in candidate.expected if point.loss <= line]
        share = max(held) if held else min((p.coverage for p in candidate.expected), default=1.0)
        latest = deque(self._log.store.read(Call, task.task), maxlen=_LATEST)
        inputs = [call.input for call in latest if call.kept == "whole"]
        if not inputs:
            raise ReleaseError(f"Task {task.task} has no calls yet to try a candidate on.")
        said = self._load(candidate).predict_many(inputs)
        surest = sorted((one.confidence for one in said), reverse=True)
        return surest[max(0, round(share * len(surest)) - 1)]

    def _keep(self, trial: Trial) -> Trial:
        self._log.keep(trial)
        self._changed(trial.task)
        return trial


def _never(task: Task, output: Json, right: Json) -> str | None:
    rule = broken_never(task, output, right)
    return None if rule is None else rule.name
