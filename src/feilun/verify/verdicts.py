"""Verdicts: dataset, prediction and test are made again from the log as it then stood."""

from collections.abc import Iterator

from feilun import certify, datasets
from feilun.errors import StoreError, TrainerError
from feilun.house import House
from feilun.ports import Progress
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Money,
    Price,
    Refusal,
    Task,
    Verdict,
    encode,
)
from feilun.verify.check import Check, different_field


def verdicts(house: House, progress: Progress | None) -> Iterator[Check]:
    """Each certificate and refusal, judged again."""
    found = house.verdicts()
    for done, verdict in enumerate(found, start=1):
        yield Check(verdict.kind, verdict.id, verdict.task, _problem(house, verdict))
        if progress:
            progress(done, len(found))


def _problem(house: House, verdict: Certificate | Refusal) -> str | None:
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
    if isinstance(verdict, Certificate) and not verdict.slices:  # as all were at first
        again = again.model_copy(update={"slices": (), "slices_untold": 0})
    return different_field(verdict, again)


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
