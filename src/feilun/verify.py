"""Walking the chain of the log, deriving every verdict again, and naming what disagrees."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from feilun import certify, datasets
from feilun.errors import InputError, StoreError, TrainerError
from feilun.house import House
from feilun.ports import Head, Progress
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Money,
    Price,
    Record,
    Refusal,
    Release,
    Task,
    Verdict,
    encode,
)

# Rows of a broken log that are named. The first is where to look; more say how far it goes.
MOST_NAMED = 20


@dataclass(frozen=True)
class Check:
    """One thing that was derived again. `problem` is None where it came out the same.

    Of the kind "log" there are only problems; their `id` is the number of the row.
    """

    kind: str
    id: str
    task: str
    problem: str | None


def verify(
    house: House, progress: Progress | None = None, noted: Head | None = None
) -> Iterator[Check]:
    """Walk every row, then derive every dataset, verdict and release again.

    With a head that was noted before, the log must still contain it. From a log that is
    not whole nothing is derived.
    """
    broken = False
    for check in _log_problems(house, progress, noted):
        broken = True
        yield check
    if broken:
        return
    verdicts = house.verdicts()
    for done, verdict in enumerate(verdicts, start=1):
        yield Check(verdict.kind, verdict.id, verdict.task, _verdict_problem(house, verdict))
        if progress:
            progress(done, len(verdicts))
    for moved in house.store.read(Release):
        yield Check("release", moved.id, moved.task, _release_problem(house, moved))


def read_head(text: str) -> Head:
    """A head as `write_head` gave it. Raises InputError."""
    seq, _, chain = text.partition(":")
    if not (re.fullmatch(r"[0-9]{1,19}", seq, re.ASCII) and re.fullmatch(r"[0-9a-f]{64}", chain)):
        raise InputError(
            f"{text[:100]!r} is no head of a log. Write SEQ:HEX as `feilun verify` printed it: "
            "a number, a colon and 64 hex digits"
        )
    return Head(int(seq), chain)


def write_head(head: Head) -> str:
    """A head in one word, for a person to keep."""
    return f"{head.seq}:{head.chain}"


def _log_problems(house: House, progress: Progress | None, noted: Head | None) -> Iterator[Check]:
    try:
        for flaw in islice(house.store.check(noted, progress), MOST_NAMED):
            problem = f"{flaw.kind} {flaw.id!r} (log row {flaw.seq}) {flaw.problem}"
            yield Check("log", str(flaw.seq), "", problem)
    except StoreError as error:
        yield Check("log", "", "", str(error))


def _verdict_problem(house: House, verdict: Certificate | Refusal) -> str | None:
    try:
        candidate = house.store.get(Candidate, verdict.candidate)
        dataset = house.store.get(Dataset, verdict.dataset)
        house.store.fetch(dataset.examples)  # raises where the stored examples are damaged
        built = house.build(verdict.task, dataset.cut, dataset.until)
        if encode(built.dataset) != encode(dataset):
            return _first_difference(house, dataset, built)
        again = certify.judge(
            house.store.get(Task, verdict.declaration),
            candidate,
            dataset,
            built.calibration,
            house.student(candidate),
            attempt=certify.next_attempt(_earlier(house, verdict)),
            audit_price=_audit_price(house, verdict),
        )
    except (StoreError, TrainerError) as error:
        return str(error)
    return _different_field(verdict, again)


def _earlier(house: House, verdict: Verdict) -> list[Certificate | Refusal]:
    moment = (verdict.at, verdict.attempt)
    return [v for v in house.verdicts(verdict.task) if (v.at, v.attempt) < moment]


def _audit_price(house: House, verdict: Certificate | Refusal) -> Money | None:
    """The logged price that the stored cost was made with; this house may have another book."""
    if not isinstance(verdict, Refusal) or verdict.missing_cost is None:
        return None
    for price in house.store.read(Price):
        amount = price.amount * (verdict.missing_audits or 0)
        if price.item == "audit:person" and amount == verdict.missing_cost.amount:
            return Money(amount=price.amount, currency=price.currency)
    return None


def _first_difference(house: House, dataset: Dataset, built: datasets.Built) -> str:
    """Which call's row no longer says what the dataset says it said."""
    stored = [*sum(datasets.read_examples(dataset, house.store.fetch), ())]
    rebuilt = {example.call: example for example in (*built.train, *built.calibration)}
    for example in stored:
        if rebuilt.get(example.call) != example:
            return f"call {example.call} in the log differs from dataset {dataset.id}"
    known = {example.call for example in stored}
    for call in rebuilt:
        if call not in known:
            return f"call {call} is in the log and not in dataset {dataset.id}"
    return f"dataset {dataset.id} is not what the log gives: its counts differ"


def _different_field(stored: Record, again: Record) -> str | None:
    if encode(stored) == encode(again):
        return None
    if stored.kind != again.kind:
        return f"the log gives a {again.kind}, the store holds a {stored.kind}"
    theirs, ours = stored.model_dump(), again.model_dump()
    for field, value in theirs.items():
        if ours[field] != value:
            return f"{field}: stored {value}, derived {ours[field]}"
    return "the stored form differs"


def _release_problem(house: House, moved: Release) -> str | None:
    if moved.variant is None:
        return None
    if moved.certificate is None:
        return "a student was released without a certificate"
    try:
        certificate = house.store.get(Certificate, moved.certificate)
        if (certificate.candidate, certificate.threshold) != (moved.variant, moved.threshold):
            return f"it does not serve what certificate {certificate.id} allows"
        house.student(house.store.get(Candidate, moved.variant))
    except (StoreError, TrainerError) as error:
        return str(error)
    return None
