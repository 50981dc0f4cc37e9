"""Writes the goldens anew: PYTHONPATH=src:tests python tests/golden/write.py; read the diff.

`log.jsonl` is the recorded log that all else follows from; the script makes it only where it
is missing. `records_v1.jsonl` holds one record of each kind as version 1 wrote it. Its lines
are never rewritten, because what was stored once must stay readable; the script only adds
a line for a kind that has none.
"""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from kiosk_log import opened

from feilun import certify, datasets, training
from feilun.ports import Prediction
from feilun.records import (
    KINDS,
    Adoption,
    Alarm,
    Audit,
    Between,
    Bill,
    BillLine,
    Call,
    CurvePoint,
    Drift,
    Example,
    Feedback,
    Json,
    Key,
    Limits,
    Measured,
    Money,
    Plan,
    Record,
    Scope,
    Skip,
    Trial,
    WhyAlarm,
    decode,
    encode,
    stable_json,
)
from feilun.testing import FakeTrainer, MemoryStore
from feilun.testing.contracts_trainer import kiosk_examples
from feilun.testing.kiosk import KIOSK, lines
from feilun.training.linear import LinearTrainer
from feilun.watch import drawn, judged

HERE = Path(__file__).parent
LOG, RECORDS = HERE / "log.jsonl", HERE / "records_v1.jsonl"
EXAMPLES, DATASET = HERE / "examples.jsonl", HERE / "dataset.json"
VERDICT, STUDENT = HERE / "verdict.json", HERE / "student.json"
ATTEMPT = 1


def read(file: Path) -> list[Record]:
    """Records of several kinds, a line each: the kind, a tab, the stable JSON."""
    rows = [row.split("\t", 1) for row in file.read_text(encoding="utf-8").splitlines()]
    return [decode(KINDS[kind], body) for kind, body in rows]


def write(file: Path, records: list[Record]) -> None:
    """The form that `read` reads."""
    rows = [f"{record.kind}\t{encode(record).decode()}\n" for record in records]
    file.write_text("".join(rows), encoding="utf-8", newline="\n")


def derived() -> dict[Path, bytes]:
    """What follows from the log: each golden and the bytes it must hold."""
    log = read(LOG)
    calls = [record for record in log if isinstance(record, Call)]
    middle, end = calls[len(calls) // 2].at, calls[-1].at + timedelta(hours=1)
    built = datasets.build(
        KIOSK,
        calls,
        [record for record in log if isinstance(record, Feedback)],
        [record for record in log if isinstance(record, Audit)],
        cut=middle,
        until=end,
    )
    store = MemoryStore()
    trainer = FakeTrainer(held_out=_without_papers)
    candidate = training.train(
        trainer, KIOSK, built.dataset, built.train, put=store.put, at=end, device="golden"
    )
    verdict = certify.judge(
        KIOSK,
        candidate.model_copy(update={"seconds": 0.0}),
        built.dataset,
        built.calibration,
        _Kiosk({line.text: line.gold for line in lines(360, seed=42)}),
        attempt=ATTEMPT,
    )
    return {
        EXAMPLES: built.blob,
        DATASET: encode(built.dataset) + b"\n",
        VERDICT: stable_json({verdict.kind: json.loads(encode(verdict))}) + b"\n",
    }


def recorded() -> list[Record]:
    """Three hundred and sixty lines of the kiosk with what people said of them."""
    start = KIOSK.at + timedelta(days=20_000)
    log: list[Record] = []
    for number, line in enumerate(lines(360, seed=42)):
        at = start + timedelta(minutes=number)
        call = Call(
            id=f"{number:05}", task=KIOSK.task, at=at, input=line.text, output=line.said,
            variant="fake-teacher", by="teacher", tokens_in=100, tokens_out=5, device="golden",
            seconds=0.5, audit_rate=0.8 if number < 300 else 0.7,
        )  # fmt: skip
        log.append(call)
        after = at + timedelta(seconds=30)
        about = {"id": f"{number:05}-said", "task": KIOSK.task, "at": after, "call": call.id}
        if drawn(call):
            log.append(judged(call, line.gold, "person", id=f"{number:05}-audit", at=after))
        elif line.said != line.gold:
            log.append(Feedback(**about, said="correction", output=line.gold))
        elif number % 2:
            log.append(Feedback(**about, said="rejected" if number % 3 else "accepted"))
    return log


def student_says() -> list[list[Json]]:
    """Labels and confidences of a linear student, for thirty lines it has not seen."""
    trained = LinearTrainer().train(KIOSK, kiosk_examples(200))
    texts = [line.text for line in lines(30, seed=77)]
    said = LinearTrainer().load(trained.artefact).predict_many(texts)
    return [[one.output, one.confidence] for one in said]


def one_of_each() -> dict[str, Record]:
    """The last record of each kind in the life of a stand, and those made at a gateway."""
    stand = opened()
    made = {name: list(stand.store.read(kind)) for name, kind in KINDS.items()}
    return {**{name: rows[-1] for name, rows in made.items() if rows}, **_at_the_door()}


def _at_the_door() -> dict[str, Record]:
    """What a stand does not make by itself, with every field filled."""
    adoption = Adoption(
        id="adoption-1", task=KIOSK.task, at=KIOSK.at, system="Today is <*>. Name the shelf.",
        head="The customer said: ", tail="\nOne word.", format={"type": "object"},
        answer="field", field="shelf", labels={"drinks": "Drinks"}, model="large-1",
        proposal="0123456789abcdef0123456789abcdef", ended=True,
    )  # fmt: skip
    key = Key(
        id="key-record-1", task="*", at=KIOSK.at, key="key-1", name="the kiosk", digest="0" * 64,
        last4="wxYZ", scopes=(Scope.CALL, Scope.FEEDBACK), expires=KIOSK.at + timedelta(days=365),
        limits=Limits(
            requests_per_minute=60, tokens_per_day=200_000,
            money_per_month=Money(amount=Decimal("12.50"), currency="CNY"),
        ),
        revoked=True,
    )  # fmt: skip
    trial = Trial(
        id="trial-2", task=KIOSK.task, at=KIOSK.at, trial="trial-1", variant="candidate-1",
        threshold=0.75, slices={"label:drinks": 0.75, "label:fruit": 0.9}, how="canary", share=0.1,
        certificate="proof-1", reason="shown worse", ended=True,
    )  # fmt: skip
    plan = Plan(
        id="plan-1", task=KIOSK.task, at=KIOSK.at, seen=1234, trainer="linear", do="audit",
        quantity=60, examples=500, audits=170, coverage=Between(mid=0.8, low=0.7, high=0.9),
        certified=0.85, serves_now=0.1, calls_per_day=Between(mid=200, low=180, high=220),
        wait_days=1.5, cost=Money(amount=Decimal("1.20"), currency="CNY"), device_seconds=0.5,
        gain_per_day=Between(mid=2, low=0, high=3), returned=Between(mid=150, low=-1.2, high=230),
        horizon_days=90, currency="CNY", per_money=Decimal("125.0"),
        curve=(CurvePoint(examples=60, tested=400, loss=0.3),), prices=("price-1",),
        measured=Measured(training=0.4, answer=0.0002), unknown=("the price of label:person",),
    )  # fmt: skip
    alarm = Alarm(
        id="alarm-1", task=KIOSK.task, at=KIOSK.at, release="move-1", variant="candidate-1",
        why=WhyAlarm.NEVER, alpha=0.0152, evidence=65.75, seen=140, mean=0.21, limit=0.1,
        last="audit-1", rule="no tea as food",
    )  # fmt: skip
    drift = Drift(
        id="drift-1", task=KIOSK.task, at=KIOSK.at, release="move-1", what="confidence",
        evidence=104.5, limit=100.0, seen=900, last="call-1",
    )  # fmt: skip
    bill = Bill(
        id="bill-1", task="*", at=KIOSK.at, provider="openai", first=KIOSK.at.date(),
        last=KIOSK.at.date(), currency="USD", total=Decimal("1.53"), digest="0" * 64,
        names={"large-1-2026-01-01": "large-1"},
        lines=(
            BillLine(
                model="large-1-2026-01-01", item="input_token", quantity=Decimal(600_000),
                amount=Decimal("1.50"), day=KIOSK.at.date(),
            ),
            BillLine(model="", item="web search", quantity=None, amount=Decimal("0.03")),
        ),
    )  # fmt: skip
    skip = Skip(
        id="skip-1", task=KIOSK.task, at=KIOSK.at, call="call-1", reason="cut off in the middle"
    )
    made = (adoption, key, alarm, drift, trial, plan, bill, skip)
    return {record.kind: record for record in made}


class _Kiosk:
    """A student that knows every shelf but that of the papers, which it doubts."""

    def __init__(self, shelves: dict[str, str]) -> None:
        self._shelves = shelves

    def predict(self, input: str) -> Prediction:
        """The right shelf, or a doubtful one; surer of longer lines."""
        shelf = self._shelves[input]
        sure = 0.6 + len(input) / 200
        return Prediction("drinks", sure - 0.4) if shelf == "papers" else Prediction(shelf, sure)

    def predict_many(self, inputs: list[str]) -> list[Prediction]:
        """The same, for many."""
        return [self.predict(input) for input in inputs]


def _without_papers(example: Example) -> Prediction:
    if example.output == "papers":
        return Prediction("drinks", 0.2)
    return Prediction(example.output, 0.9)


if __name__ == "__main__":
    if not LOG.exists():
        write(LOG, recorded())
    for file, body in derived().items():
        file.write_bytes(body)
    old = read(RECORDS) if RECORDS.exists() else []
    kept = {record.kind for record in old}
    new = [] if kept == set(KINDS) else [r for k, r in one_of_each().items() if k not in kept]
    write(RECORDS, [*old, *new])
    STUDENT.write_text(json.dumps(student_says()) + "\n", encoding="utf-8")
