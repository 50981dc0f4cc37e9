"""The seams of the house: what the stages ask of the parts they stand on.

Each port is a few methods and its promises. Every part behind a port passes the
port's contract suite in `feilun.testing`, and so does the fake that ships there.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from feilun.records import Example, Json, Price, R, Record, Task

Progress = Callable[[int, int], None]
"""Called with (done, total) by whatever may take over two seconds."""


@dataclass(frozen=True)
class Head:
    """The last row of a log. Its chain seals all rows before it: whoever keeps a head can
    ask later whether the log still contains it."""

    seq: int
    chain: str


@dataclass(frozen=True)
class Flaw:
    """A row of a log that is not what was appended, and what is wrong with it."""

    seq: int
    kind: str
    id: str
    problem: str


class Store(Protocol):
    """An append-only log of records and a heap of blobs.

    - `append` returns when all of its records are durable, or raises and none is.
      The same record again is no news; the same id with other content is `Conflict`.
    - `read` yields records of one kind in the order in which they were appended, as
      of the call: what is appended meanwhile is not seen. With `after` and `until` it
      yields only those in later rows, and only up to a row, of the log: a head's `seq`
      says where a reader stood.
    - A record that is not what was written raises `Damaged` with its kind and id.
    - Blobs are addressed by their sha256. `fetch` never returns other bytes than
      were put: it raises `NotFound` or `Damaged`.
    - Each record is chained to the one before. `check` walks the log as of the call and
      yields a flaw, in order, where a record was changed, taken out, put in or moved: none
      for a log that is whole. It raises `Damaged` where the log cannot be read on.
    - The chain alone does not show a cut-off end, nor a log that was written anew with
      chains of its own. Against both, keep a `head` elsewhere and pass it back as `noted`.
    - All methods may be called from any thread.
    """

    def append(self, *records: Record) -> None: ...

    def read(
        self, kind: type[R], task: str | None = None, *, after: int = 0, until: int | None = None
    ) -> Iterator[R]: ...

    def get(self, kind: type[R], id: str) -> R: ...

    def put(self, data: bytes) -> str: ...

    def fetch(self, digest: str) -> bytes: ...

    def head(self) -> Head: ...

    def check(
        self, noted: Head | None = None, progress: Progress | None = None
    ) -> Iterator[Flaw]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What an engine said. Tokens are None where the engine does not count them."""

    output: Json
    seconds: float
    tokens_in: int | None = None
    tokens_cached: int | None = None  # the part of tokens_in that a prompt cache held
    tokens_out: int | None = None
    device: str | None = None


class Engine(Protocol):
    """Something that runs a model and answers tasks with it.

    `name` is stable and names the model; `answer` raises `EngineError` when the
    model does not answer, and never returns an output of another task.
    """

    @property
    def name(self) -> str: ...

    def answer(self, task: Task, input: Json) -> Answer: ...


@dataclass(frozen=True)
class Prediction:
    """A student's answer and its confidence: its own estimate of being right, in [0, 1]."""

    output: Json
    confidence: float


class Student(Protocol):
    """A small trained model, ready to answer.

    `predict` is deterministic: the same input gives the same prediction, alone or
    among others (`predict_many`), to the last bit of the confidence.
    """

    def predict(self, input: Json) -> Prediction: ...

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]: ...


@dataclass(frozen=True)
class Trained:
    """What training gave: the artefact, and what was chosen on training data alone.

    `held_out` says of each of `examples` what a student would have answered that had not
    seen it. It may be empty where a trainer has no such thing. Such a student had learnt
    from `held_out_learnt` examples: fewer than are there, so it errs a little more.
    """

    artefact: bytes
    params: dict[str, Json]
    examples: Sequence[Example]
    held_out: Sequence[Prediction]
    held_out_learnt: int = 0


class Trainer(Protocol):
    """One way to make students of examples.

    `train` is deterministic, sees nothing but its examples, and raises
    `TrainerError` when they teach nothing. `load` never runs code from an artefact
    and raises `Unreadable` for any bytes that `train` did not write.
    """

    @property
    def name(self) -> str: ...

    def train(self, task: Task, examples: Sequence[Example]) -> Trained: ...

    def load(self, artefact: bytes) -> Student: ...


class Clock(Protocol):
    """The one layer where times and ids are made. Ids sort by the time of their making."""

    def now(self) -> datetime: ...

    def new_id(self) -> str: ...


class Book(Hashable, Protocol):
    """The prices in force. None means unknown; nothing is guessed.

    Of several prices of one item the newest in force counts. `items` names those that
    have a price, now or on some day to come. A book never changes while it is open.
    """

    @property
    def currency(self) -> str: ...

    def items(self) -> Sequence[str]: ...

    def price(self, item: str, at: datetime) -> Price | None: ...
