"""One task of a log: a student is trained on its older part and judged on its younger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from feilun import training
from feilun.appraise.discover import Found, Unit
from feilun.appraise.split import Sides, made_up_time, split
from feilun.certify import budget, fewest, judge
from feilun.errors import TrainerError
from feilun.ports import Prediction, Student
from feilun.records import (
    Certificate,
    Dataset,
    Example,
    Money,
    RedLine,
    Refusal,
    Task,
    content_id,
    digest,
    stable_json,
)
from feilun.tasks import declare
from feilun.training.linear import LinearTrainer


@dataclass(frozen=True)
class Judged:
    """What one look at a task gave. `verdict` is None where nothing could be learnt."""

    gold: bool
    sides: Sides
    verdict: Certificate | Refusal | None
    calibration: list[Prediction]
    holdout: list[Prediction]
    common: str | None  # the commonest label in training
    seconds_per_call: float


def judge_task(found: Found, line: RedLine, limit: int, audit_price: Money | None = None) -> Judged:
    """Split, train and judge one task with closed labels. Spends the first look of its budget."""
    gold = enough_gold(found.units, line)
    sides = split(
        found.units,
        gold=gold,
        max_loss=line.max_loss,
        confidence=line.confidence,
        limit=limit,
    )
    labels = list(found.labels)
    task = declare(
        found.name,
        "Answer as the log does.",
        {"type": "string"},
        {"type": "string", "enum": labels},
        line,
    )
    return _judged(task, sides, gold, limit, audit_price)


def enough_gold(units: Sequence[Unit], line: RedLine) -> bool:
    """Whether enough distinct inputs have gold for their errors to be bounded at all."""
    inputs = len({unit.key for unit in units if unit.gold is not None})
    return inputs >= fewest(line.max_loss, budget(line.confidence, 1))


def _judged(task: Task, sides: Sides, gold: bool, limit: int, audit_price: Money | None) -> Judged:
    train = [_example(unit, place) for place, unit in enumerate(sides.train)]
    first = len(train)
    calibration = [_example(unit, first + place) for place, unit in enumerate(sides.calibration)]
    common = Counter(e.output for e in train).most_common(1)
    blobs: dict[str, bytes] = {}

    def put(data: bytes) -> str:
        blobs[digest(data)] = data
        return digest(data)

    dataset = _dataset(task, sides, train, calibration)
    trainer = LinearTrainer(limit=limit)
    try:
        candidate = training.train(
            trainer, task, dataset, train, put=put, at=dataset.until, device="cpu"
        )
    except TrainerError:
        return Judged(gold, sides, None, [], [], common[0][0] if common else None, 0.0)
    student = trainer.load(blobs[candidate.artefact])
    verdict = judge(
        task, candidate, dataset, calibration, student, attempt=1, audit_price=audit_price
    )
    started = perf_counter()
    said = _predict(student, sides.calibration)
    seconds = perf_counter() - started
    return Judged(
        gold=gold,
        sides=sides,
        verdict=verdict,
        calibration=said,
        holdout=_predict(student, sides.holdout),
        common=common[0][0],
        seconds_per_call=seconds / max(1, len(said)),
    )


def _predict(student: Student, units: Sequence[Unit]) -> list[Prediction]:
    return student.predict_many([unit.row.text for unit in units])


def _example(unit: Unit, place: int) -> Example:
    by_person = unit.gold is not None
    return Example(
        call=f"line {unit.row.line}",
        at=made_up_time(place),
        input=unit.row.text,
        output=unit.right,
        source="audit" if by_person else "teacher",
        judge="person" if by_person else "teacher",
    )


def _dataset(task: Task, sides: Sides, train: list[Example], calibration: list[Example]) -> Dataset:
    rows = [stable_json(e.model_dump(mode="json")) for e in (*train, *calibration)]
    blob = digest(b"".join(row + b"\n" for row in rows))
    cut, until = made_up_time(len(train)), made_up_time(len(rows))
    return Dataset(
        id=content_id([task.task, cut.isoformat(), until.isoformat(), blob]),
        task=task.task,
        at=until,
        cut=cut,
        until=until,
        examples=blob,
        train=len(train),
        calibration=len(calibration),
        rate=1.0,
        conflicts=sides.conflicts,
        duplicates=sides.repeats,
        near_duplicates=sides.near_duplicates,
        thinned=0,
    )
