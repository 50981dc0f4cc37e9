"""How students of a task get better: trained on the first of its examples, tried on the rest.

An eighth, a quarter and a half of the examples train, in time order, and what came after
says how good that is. Of the student of all of them its trainer's held-out answers speak.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from feilun import certify, training
from feilun.certify.ltt import Plan as PlannedLook
from feilun.errors import TrainerError
from feilun.planning import Held, Pairs
from feilun.ports import Trained, Trainer
from feilun.records import CurvePoint, Example, Measured, Task, stable_json
from feilun.tasks import loss

_SHARES = (8, 4, 2)
_FEWEST = 20  # examples to train on, and so many for each right answer: below, folds lack some
_FEWEST_EACH = 3


@dataclass(frozen=True)
class Learnt:
    """What a trainer makes of a task's examples. `problem` says why there is no student."""

    held: Held | None
    points: tuple[CurvePoint, ...]
    measured: Measured | None
    problem: str | None


def learn(
    trainer: Trainer,
    task: Task,
    examples: Sequence[Example],
    step: Callable[[int], None],
) -> Learnt:
    """Train on growing shares of the examples; `step` is told how many were learnt from."""
    started = time.perf_counter()
    try:
        trained = trainer.train(task, examples)
    except TrainerError as error:
        return Learnt(None, (), None, f"how good a student would be: {error}")
    seconds = time.perf_counter() - started
    step(len(examples))
    answers = training.held_out(task, trained)
    if not answers:
        return Learnt(None, (), None, f"how good a student would be: {trainer.name} does not say")
    held = _held(task, trained, examples, answers)
    points = list(_earlier(trainer, task, examples, step))
    last = CurvePoint(
        examples=held.learnt, tested=len(held.pairs), loss=float(held.pairs.losses.mean())
    )
    measured = Measured(training=round(seconds, 3), answer=_answer_seconds(trainer, trained))
    return Learnt(held, (*points, last), measured, None)


def _held(
    task: Task,
    trained: Trained,
    examples: Sequence[Example],
    answers: Sequence[tuple[float, float]],
) -> Held:
    size = len(examples) + len(task.shots)
    confidences, losses = np.array(answers, dtype=np.float64).T
    return Held(Pairs(confidences, losses), size, trained.held_out_learnt or size)


def _earlier(
    trainer: Trainer, task: Task, examples: Sequence[Example], step: Callable[[int], None]
) -> Iterator[CurvePoint]:
    """Students of the first examples, on those that came after and are a fair sample."""
    fair = training.fair(examples)
    for share in _SHARES:
        size = len(examples) // share
        later = list(compress(examples[size:], fair[size:]))
        if not later or size < _FEWEST or not _shown(task, examples[:size]):
            continue
        try:
            student = trainer.load(trainer.train(task, examples[:size]).artefact)
        except TrainerError:
            continue  # so few examples show one label; more of them are tried next
        said = student.predict_many([example.input for example in later])
        lost = [loss(task, p.output, e.output) for p, e in zip(said, later, strict=True)]
        step(size)
        yield CurvePoint(
            examples=size + len(task.shots), tested=len(lost), loss=float(np.mean(lost))
        )


def _shown(task: Task, examples: Sequence[Example]) -> bool:
    """Whether there are enough examples for the number of right answers among them."""
    answers = {stable_json(example.output) for example in examples}
    return len(examples) + len(task.shots) >= _FEWEST_EACH * len(answers)


def _answer_seconds(trainer: Trainer, trained: Trained) -> float:
    """What one answer takes, of the hundred youngest examples one by one."""
    student = trainer.load(trained.artefact)
    inputs = [example.input for example in trained.examples[-100:]]
    started = time.perf_counter()
    for input in inputs:
        student.predict(input)
    return round((time.perf_counter() - started) / len(inputs), 6)


@dataclass(frozen=True)
class CertifierLook:
    """The look that the certifier would take, without its records."""

    max_loss: float
    delta: float

    def begins(self, expected: Pairs, audits: int) -> int | None:
        """At how many of the surest audits it begins; None where it is not worth one."""
        planned = self._planned(expected, audits)
        return planned.first if planned.worth_a_look else None

    def serves(self, audits: Pairs, first: int) -> float | None:
        """The share of the audits that is certified to be served."""
        found = certify.look(audits.confidences, audits.losses, self.max_loss, self.delta, first)
        return None if found.threshold is None else found.served / len(audits)

    def wanted(self, expected: Pairs, audits: int) -> int | None:
        """How many audits make it worth a look."""
        return self._planned(expected, audits).wanted

    def _planned(self, expected: Pairs, audits: int) -> PlannedLook:
        pairs = list(zip(expected.confidences.tolist(), expected.losses.tolist(), strict=True))
        return certify.plan(training.at_coverages(pairs), audits, self.max_loss, self.delta)
