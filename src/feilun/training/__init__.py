"""A dataset's training side becomes a candidate."""

import time
from collections.abc import Callable, Sequence
from itertools import compress

from feilun.ports import Trained, Trainer
from feilun.records import Candidate, Dataset, Example, Expected, Instant, Task, content_id
from feilun.tasks import loss
from feilun.training.fair import fair

__all__ = ["at_coverages", "expect", "fair", "held_out", "train"]

_POINTS = 10  # coverages at which a candidate says what it expects


def train(
    trainer: Trainer,
    task: Task,
    dataset: Dataset,
    examples: Sequence[Example],
    *,
    put: Callable[[bytes], str],
    at: Instant,
    device: str,
) -> Candidate:
    """Train, store the artefact, describe it. Raises TrainerError where nothing is learnt."""
    started = time.perf_counter()
    trained = trainer.train(task, examples)
    seconds = time.perf_counter() - started
    artefact = put(trained.artefact)
    return Candidate(
        id=content_id([dataset.id, trainer.name, artefact]),
        task=task.task,
        at=at,
        dataset=dataset.id,
        trainer=trainer.name,
        params=trained.params,
        artefact=artefact,
        examples=len(examples),
        expected=expect(task, trained),
        seconds=round(seconds, 3),
        device=device,
    )


def expect(task: Task, trained: Trained) -> tuple[Expected, ...]:
    """Loss against coverage, from held-out answers; empty where the trainer has none."""
    return at_coverages(held_out(task, trained))


def held_out(task: Task, trained: Trained) -> list[tuple[float, float]]:
    """Confidence and loss of those held-out answers that are a fair sample of the traffic."""
    if not trained.held_out:
        return []
    pairs = zip(trained.examples, trained.held_out, strict=True)
    return [
        (said.confidence, loss(task, said.output, example.output))
        for example, said in compress(pairs, fair(trained.examples))
    ]


def at_coverages(answers: Sequence[tuple[float, float]]) -> tuple[Expected, ...]:
    """The mean loss of the surest answers, at ten coverages."""
    if not answers:
        return ()
    losses = [lost for _, lost in sorted(answers, key=lambda answer: -answer[0])]
    points = []
    for share in range(1, _POINTS + 1):
        taken = losses[: max(1, len(losses) * share // _POINTS)]
        smoothed = (sum(taken) + 0.5) / (len(taken) + 1)
        points.append(Expected(coverage=share / _POINTS, loss=round(smoothed, 6)))
    return tuple(points)
