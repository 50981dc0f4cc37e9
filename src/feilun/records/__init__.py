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
from feilun.records.call import RAW, Call, Ended, WhyTeacher
from feilun.records.candidate import Candidate, Expected
from feilun.records.dataset import Dataset, Example
from feilun.records.feedback import Audit, Feedback
from feilun.records.key import Key, Limits, Scope
from feilun.records.ledger import Money, Posting, Price
from feilun.records.release import Release
from feilun.records.task import RedLine, Shot, Task
from feilun.records.verdict import Certificate, Refusal, Verdict, WhyRefused

KINDS: dict[str, type[Record]] = {
    kind.kind: kind
    for kind in (
        Task, Call, Feedback, Audit, Dataset, Candidate,
        Certificate, Refusal, Release, Price, Posting, Adoption, Key,
    )
}  # fmt: skip

__all__ = [
    "KINDS",
    "RAW",
    "Adoption",
    "Audit",
    "Call",
    "Candidate",
    "Certificate",
    "Dataset",
    "Ended",
    "Example",
    "Expected",
    "Feedback",
    "Instant",
    "Json",
    "Key",
    "Limits",
    "Money",
    "Posting",
    "Price",
    "R",
    "Record",
    "RedLine",
    "Refusal",
    "Release",
    "Scope",
    "Shot",
    "Task",
    "Verdict",
    "WhyRefused",
    "WhyTeacher",
    "content_id",
    "decode",
    "digest",
    "encode",
    "stable_json",
]
