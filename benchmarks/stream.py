"""A stream of calls from a cold start: the wheel's own rules on arrays, without a store.

The teacher's answers are recorded. Simulated: the order, the people (they correct a share
of the wrong answers they are shown) and their audits. No threshold is chosen on the stream:
a student serves with a certified one or not at all.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ground import example

from feilun.certify import budget, look, plan
from feilun.ports import Student, Trainer
from feilun.records import Example, Task
from feilun.training import expect


@dataclass(frozen=True)
class Item:
    text: str
    gold: str
    teacher: str


@dataclass(frozen=True)
class Setting:
    corrects: float = 0.3  # share of wrong answers shown that people correct
    audits_first: float = 0.7  # audit rate until the first release
    audits_then: float = 0.2
    turn_every: int = 300  # calls


@dataclass
class Outcome:
    """Counts over one stream. `broken` certificates served above the line until replaced."""

    calls: int = 0
    right: int = 0
    teacher: int = 0
    audits: int = 0
    corrections: int = 0
    looks: int = 0
    first_release: int | None = None
    served_by_certificate: list[tuple[int, int]] = field(default_factory=list)  # served, wrong

    @property
    def accuracy(self) -> float:
        return self.right / self.calls

    @property
    def teacher_share(self) -> float:
        return self.teacher / self.calls


class Stream:
    """One pass over the items in the order of a seed."""

    def __init__(
        self,
        task: Task,
        trainer: Trainer,
        known: Sequence[Example],
        setting: Setting,
        seed: int,
    ) -> None:
        self._task, self._trainer, self._setting = task, trainer, setting
        self._known = list(known)
        self._fresh: list[tuple[str, str]] = []  # audits that no look has spent
        self._random = random.Random(seed)
        self._student: Student | None = None
        self._threshold = 1.0
        self._coverage = 0.0
        self._attempt = 1
        self.outcome = Outcome()

    def audited_before(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Judged calls (text, right label) from before the stream; a turn follows."""
        self._fresh += pairs
        self._turn()

    def run(self, items: Sequence[Item]) -> Outcome:
        order = list(items)
        self._random.shuffle(order)
        step = self._setting.turn_every
        for start in range(0, len(order), step):
            self._serve(order[start : start + step])
            if start + step < len(order):
                self._turn()
        return self.outcome

    def _serve(self, items: Sequence[Item]) -> None:
        said = self._student.predict_many([i.text for i in items]) if self._student else None
        rate = self._setting.audits_then if said else self._setting.audits_first
        for number, item in enumerate(items):
            sure = said is not None and said[number].confidence >= self._threshold
            output = said[number].output if said and sure else item.teacher
            self._react(item, output, sure, self._random.random() < rate)

    def _react(self, item: Item, output: str, by_student: bool, audited: bool) -> None:
        out, right = self.outcome, output == item.gold
        out.calls += 1
        out.right += right
        out.teacher += not by_student
        if by_student:
            served, wrong = out.served_by_certificate[-1]
            out.served_by_certificate[-1] = (served + 1, wrong + (not right))
        noticed = self._random.random() < self._setting.corrects
        if audited:
            out.audits += 1
            self._fresh.append((item.text, item.gold))
        elif not right and noticed:
            out.corrections += 1
            self._known.append(example(item.text, item.gold))
        elif not by_student:
            self._known.append(example(item.text, output, "teacher"))

    def _turn(self) -> None:
        # As `House.turn` does: before the first look the older half of the audits trains.
        half = len(self._fresh) // 2 if self._attempt == 1 else 0
        older, fresh = self._fresh[:half], self._fresh[half:]
        learnt = self._known + [example(text, gold, "audit") for text, gold in older]
        trained = self._trainer.train(self._task, learnt)
        line = self._task.red_line
        delta = budget(line.confidence, self._attempt)
        planned = plan(expect(self._task, trained), len(fresh), line.max_loss, delta)
        if not planned.worth_a_look:
            return
        student = self._trainer.load(trained.artefact)
        said = student.predict_many([text for text, _ in fresh])
        losses = [float(p.output != gold) for p, (_, gold) in zip(said, fresh, strict=True)]
        confidences = np.array([p.confidence for p in said])
        found = look(confidences, np.array(losses), line.max_loss, delta, planned.first)
        self._attempt += 1
        self.outcome.looks += 1
        coverage = found.served / len(fresh)
        if found.threshold is not None and coverage >= self._coverage:
            self._student, self._threshold, self._coverage = student, found.threshold, coverage
            self.outcome.served_by_certificate.append((0, 0))
            if self.outcome.first_release is None:
                self.outcome.first_release = self.outcome.calls
        self._known += [example(text, gold, "audit") for text, gold in self._fresh]
        self._fresh = []
