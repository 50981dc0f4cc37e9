"""Building a dataset: a pure function of the log, a cut and a window.

What is judged before the cut trains; audits on calls in [cut, until) calibrate. The
calibration side stays a plain random sample of the traffic, because the certificate
speaks of the traffic: so where an input stands on both sides, or nearly, it is the
training side that gives way (docs/design/0003-split.md).
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from feilun.datasets.judged import (
    Judgements,
    calibration_example,
    conflicting,
    gather,
    teaches,
    training_example,
)
from feilun.datasets.similar import near_any, same_key
from feilun.records import (
    Audit,
    Call,
    Dataset,
    Example,
    Feedback,
    Task,
    content_id,
    digest,
    stable_json,
)

_RANK = {"correction": 3, "audit": 2, "accepted": 1, "teacher": 0}


@dataclass(frozen=True)
class Built:
    """A dataset with its two sides, and the blob that holds both."""

    dataset: Dataset
    train: tuple[Example, ...]
    calibration: tuple[Example, ...]
    blob: bytes


def build(
    task: Task,
    calls: Iterable[Call],
    feedback: Iterable[Feedback],
    audits: Iterable[Audit],
    *,
    cut: datetime,
    until: datetime,
) -> Built:
    """The dataset of a task's log between two moments. The same log gives the same id."""
    said = gather(feedback, audits, until)
    told = (c for c in calls if c.at < until and teaches(c))
    window = sorted(told, key=lambda c: (c.at, c.id))
    older = [call for call in window if call.at < cut]
    younger = [call for call in window if call.at >= cut]

    calibration, rate, thinned = _calibration(younger, said)
    learnt = [example for call in older if (example := training_example(call, said))]
    kept = _deduplicate(learnt)
    train = _without_near(kept, calibration)

    blob = _write(train, calibration)
    body = {
        "cut": cut,
        "until": until,
        "examples": digest(blob),
        "train": len(train),
        "calibration": len(calibration),
        "rate": rate,
        "conflicts": sum(conflicting(call, said) for call in window),
        "duplicates": len(learnt) - len(kept),
        "near_duplicates": len(kept) - len(train),
        "thinned": thinned,
    }
    address = content_id([task.task, cut.isoformat(), until.isoformat(), body["examples"]])
    dataset = Dataset.model_validate({"id": address, "task": task.task, "at": until, **body})
    return Built(dataset, tuple(train), tuple(calibration), blob)


def read_examples(
    dataset: Dataset, fetch: Callable[[str], bytes]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The training and the calibration side of a stored dataset."""
    rows = fetch(dataset.examples).splitlines()
    examples = tuple(Example.model_validate_json(row) for row in rows)
    return examples[: dataset.train], examples[dataset.train :]


def _calibration(younger: Sequence[Call], said: Judgements) -> tuple[list[Example], float, int]:
    """Audited calls, thinned to one common rate, so that all weigh the same."""
    audited = [(call, example) for call in younger if (example := calibration_example(call, said))]
    if not audited:
        return [], 0.0, 0
    rates = {call.id: max(a.rate for a in said.audits[call.id]) for call, _ in audited}
    # A slice that was drawn more often says nothing of how often the others were.
    common = min(min(call.common_rate or 1.0, rates[call.id]) for call, _ in audited)
    kept = [example for call, example in audited if _chance(call.id) * rates[call.id] < common]
    return kept, common, len(audited) - len(kept)


def _chance(call: str) -> float:
    """A number in [0, 1) that follows from a call's id and is independent of its audit."""
    raw = hashlib.blake2b(call.encode(), digest_size=8, person=b"feilun.thin").digest()
    return int.from_bytes(raw, "big") / math.ldexp(1, 64)


def _deduplicate(examples: Sequence[Example]) -> list[Example]:
    """One example for each input: the best judged, and the latest among equals."""
    best: dict[str, Example] = {}
    for example in examples:
        key = same_key(example.input)
        held = best.get(key)
        if held is None or _RANK[example.source] >= _RANK[held.source]:
            best[key] = example
    return sorted(best.values(), key=lambda e: (e.at, e.call))


def _without_near(train: list[Example], calibration: list[Example]) -> list[Example]:
    near = near_any([same_key(e.input) for e in train], [same_key(e.input) for e in calibration])
    return [example for example, is_near in zip(train, near, strict=True) if not is_near]


def _write(train: Sequence[Example], calibration: Sequence[Example]) -> bytes:
    rows = [stable_json(e.model_dump(mode="json")) for e in (*train, *calibration)]
    return b"".join(row + b"\n" for row in rows)
