"""The ground floor: every kind of record that goes round the wheel."""

from feilun.records.adoption import Adoption
from feilun.records.base import (
    Instant,
    Json,
    R,
    Record,
    content_id,
    decode,
    digest,
    encode,
    stable_json,
)
from feilun.records.bill import Bill, BillLine
from feilun.records.call import RAW, Aside, Call, Ended, WhyTeacher
from feilun.records.candidate import Candidate, Expected
from feilun.records.dataset import Dataset, Example
from feilun.records.feedback import Audit, Feedback, Skip
from feilun.records.key import Key, Limits, Scope
from feilun.records.ledger import Money, Posting, Price
from feilun.records.plan import Between, CurvePoint, Measured, Plan
from feilun.records.release import Release
from feilun.records.task import Never, RedLine, Shot, Slicing, Task
from feilun.records.trial import Trial
from feilun.records.verdict import Certificate, Refusal, Slice, Verdict, WhyRefused
from feilun.records.watch import Alarm, Drift, WhyAlarm

KINDS: dict[str, type[Record]] = {
    kind.kind: kind
    for kind in (
        Task, Call, Feedback, Audit, Dataset, Candidate,
        Certificate, Refusal, Release, Price, Posting, Adoption, Key,
        Alarm, Drift, Trial, Bill, Plan, Skip,
    )
}  # fmt: skip

__all__ = [
    "KINDS",
    "RAW",
    "Adoption",
    "Alarm",
    "Aside",
    "Audit",
    "Between",
    "Bill",
    "BillLine",
    "Call",
    "Candidate",
    "Certificate",
    "CurvePoint",
    "Dataset",
    "Drift",
    "Ended",
    "Example",
    "Expected",
    "Feedback",
    "Instant",
    "Json",
    "Key",
    "Limits",
    "Measured",
    "Money",
    "Never",
    "Plan",
    "Posting",
    "Price",
    "R",
    "Record",
    "RedLine",
    "Refusal",
    "Release",
    "Scope",
    "Shot",
    "Skip",
    "Slice",
    "Slicing",
    "Task",
    "Trial",
    "Verdict",
    "WhyAlarm",
    "WhyRefused",
    "WhyTeacher",
    "content_id",
    "decode",
    "digest",
    "encode",
    "stable_json",
]
