"""The circle as data: each stage, what it reads, what it writes.

Stages meet in the store and nowhere else: no stage imports another. Each kind of record
has one writer. `tests/wheel/test_circle.py` closes the circle: whatever is written is
read, whatever is read is written, and one can walk from Call back to Call.
"""

from dataclasses import dataclass

from feilun.records import (
    Adoption,
    Alarm,
    Audit,
    Bill,
    Call,
    Candidate,
    Certificate,
    Dataset,
    Drift,
    Feedback,
    Key,
    Plan,
    Posting,
    Price,
    Record,
    Refusal,
    Release,
    Skip,
    Task,
    Trial,
)


@dataclass(frozen=True)
class Stage:
    """One station of the wheel. `where` is its package, or the door that people use."""

    name: str
    where: str
    does: str
    reads: tuple[type[Record], ...]
    writes: tuple[type[Record], ...]


WHEEL = (
    Stage("declare", "tasks", "an app says what it asks and what it will not accept",
          (), (Task,)),
    Stage("admit", "gateway", "a key says who may ask, and how much; an adoption, for which task",
          (Key, Call, Adoption), (Key,)),
    Stage("discover", "discovery", "raw traffic shows what tasks are in it, and people adopt them",
          (Call, Adoption), (Adoption,)),
    Stage("answer", "answer", "the released student where it is sure, else the teacher",
          (Task, Release, Trial), (Call,)),
    Stage("judge", "apps", "people correct what they notice",
          (Call,), (Feedback,)),
    Stage("audit", "watch", "calls drawn at random are judged, as often as the need is",
          (Call, Drift, Skip), (Audit, Skip)),
    Stage("collect", "datasets", "judgements become examples, split by time",
          (Task, Call, Feedback, Audit), (Dataset,)),
    Stage("train", "training", "examples become a small model",
          (Task, Dataset), (Candidate,)),
    Stage("certify", "certify", "fresh audits decide whether it may serve",
          (Task, Dataset, Candidate, Certificate, Refusal), (Certificate, Refusal)),
    Stage("release", "release", "the pointer moves",
          (Task, Certificate, Alarm, Release), (Release,)),
    Stage("watch", "watch", "what is served is held against its line for as long as it serves",
          (Task, Call, Audit, Release, Drift), (Alarm, Drift)),
    Stage("try", "trials", "a candidate speaks beside the incumbent, or to some of the callers",
          (Call, Audit, Certificate, Trial), (Trial,)),
    Stage("price", "ledger", "a book of prices is opened",
          (), (Price,)),
    Stage("bill", "ledger", "a provider says what it is owed",
          (), (Bill,)),
    Stage("account", "ledger", "everything that happened becomes money",
          (Call, Feedback, Audit, Candidate, Price, Bill, Posting), (Posting,)),
    Stage("plan", "planning", "what to train, audit or label next, and what it should return",
          (Call, Posting, Certificate, Refusal, Plan), (Plan,)),
)  # fmt: skip
