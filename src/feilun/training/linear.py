"""The linear student: hashed n-grams, TF-IDF, a linear machine. Small, fast, multilingual.

An embedder may add a dense view of the text beside the n-grams (`embedding.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from feilun.errors import TrainerError, Unreadable
from feilun.ports import Prediction, Trained
from feilun.records import Example, Json, Shot, Task
from feilun.tasks import labels
from feilun.training import svm
from feilun.training.artefact import pack, unpack
from feilun.training.embedding import Embedder
from feilun.training.fair import fair
from feilun.training.features import Counts, batches, counts, text_of
from feilun.training.svm import Floats

_FORMAT = "feilun.linear/1"


class LinearTrainer:
    """Makes linear students. Uses at most `limit` examples, the youngest."""

    def __init__(self, limit: int = 20_000, embedder: Embedder | None = None) -> None:
        self._limit = limit
        self._embedder = embedder

    @property
    def name(self) -> str:
        """`linear`, or `linear+<embedder>`: part of a candidate's id."""
        return f"linear+{self._embedder.name}" if self._embedder else "linear"

    def train(self, task: Task, examples: Sequence[Example]) -> Trained:
        """Learn from the examples and the task's own shots.

        Raises TrainerError when they show fewer than two labels.
        """
        allowed = labels(task)
        told = [_shot(task, shot) for shot in task.shots]
        youngest = [e for e in (*told, *examples) if e.output in allowed][-self._limit :]
        seen = sorted({e.output for e in youngest})
        if len(seen) < 2:
            raise TrainerError(
                f"Task {task.task}: {len(youngest)} examples show {len(seen)} labels; "
                "a student needs at least two. Collect more calls, then turn again."
            )
        return self._train(youngest, seen)

    def _train(self, examples: list[Example], seen: list[str]) -> Trained:
        texts = [text_of(e.input) for e in examples]
        goal = np.array([seen.index(e.output) for e in examples], dtype=np.int64)
        raw = counts(texts)
        index, documents = np.unique(raw.buckets, return_counts=True)
        idf = _idf(documents, len(texts))
        sparse = _weigh(raw, index, idf).matrix(len(index))
        dense = self._embedder.embed(texts) if self._embedder else np.zeros((len(texts), 0))
        rows = sp.hstack([sparse, dense], format="csr")
        doubted = np.array([e.judge != "person" for e in examples])
        fitted = svm.fit(rows, goal, doubted, np.array(fair(examples)))
        weights = fitted.weights.astype(np.float32)
        arrays = {
            "index": index,
            "idf": idf,
            "sparse": weights[: len(index)],
            "dense": weights[len(index) : -1],
            "bias": weights[-1],
        }
        params = {
            "trust": fitted.trust,
            "log_loss": round(fitted.log_loss, 6),
        }
        header = {"labels": seen, "sharpness": fitted.sharpness, "trainer": self.name}
        held_out = _predictions(fitted.held_out, fitted.sharpness, seen)
        return Trained(
            pack(_FORMAT, header, arrays),
            params,
            examples[-len(held_out) :],
            held_out,
            svm.learnt(len(held_out)),
        )

    def load(self, artefact: bytes) -> "LinearStudent":
        """Raises Unreadable for bytes that this trainer did not write."""
        header, arrays = unpack(_FORMAT, artefact)
        if header.get("trainer") != self.name:
            raise Unreadable(
                f"The artefact was trained by {header.get('trainer')!r}, this is {self.name!r}."
            )
        try:
            return LinearStudent(header, arrays, self._embedder)
        except KeyError as error:
            raise Unreadable(f"The artefact has no {error}. Train the candidate again.") from error


class LinearStudent:
    """A trained linear student, ready to answer."""

    def __init__(
        self, header: dict[str, Json], arrays: dict[str, np.ndarray], embedder: Embedder | None
    ) -> None:
        self._labels: list[str] = header["labels"]
        self._sharpness: float = header["sharpness"]
        self._index, self._idf = arrays["index"], arrays["idf"]
        self._sparse, self._dense, self._bias = arrays["sparse"], arrays["dense"], arrays["bias"]
        self._embedder = embedder

    def predict(self, input: Json) -> Prediction:
        """One answer, while a person waits: under 0.2 ms (`benchmarks/student.py`)."""
        return self._predict([text_of(input)])[0]

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        """The same answers as `predict`, faster for many."""
        texts = [text_of(input) for input in inputs]
        return [said for batch in batches(texts) for said in self._predict(batch)]

    def _predict(self, texts: Sequence[str]) -> list[Prediction]:
        scores = _weigh(counts(texts), self._index, self._idf).times(self._sparse) + self._bias
        if self._embedder:
            scores = scores + self._embedder.embed(texts) @ self._dense
        return _predictions(scores.astype(np.float64), self._sharpness, self._labels)


def _predictions(scores: Floats, sharpness: float, seen: list[str]) -> list[Prediction]:
    """The likeliest labels. Rounded, so that batch and single answers agree to the last bit."""
    said = svm.confidences(scores, sharpness)
    rows = zip(said.argmax(axis=1).tolist(), said.max(axis=1).tolist(), strict=True)
    return [Prediction(seen[best], round(sure, 6)) for best, sure in rows]


def _shot(task: Task, shot: Shot) -> Example:
    """A shot as an example: the app's author vouches for it."""
    return Example(
        call="", at=task.at, input=shot.input, output=shot.output, source="accepted", judge="person"
    )


def _idf(documents: np.ndarray, texts: int) -> np.ndarray:
    """Smoothed inverse document frequency of buckets that so many texts have."""
    frequency: np.ndarray = np.log((1 + texts) / (1 + documents)) + 1
    return frequency.astype(np.float32)


@dataclass(frozen=True)
class _Weighed:
    """Sublinear TF-IDF of texts on the seen buckets; each text's weights have length 1.

    Three arrays side by side, as in `Counts`; `places` are places among the seen buckets.
    """

    texts: int
    rows: np.ndarray
    places: np.ndarray
    weights: np.ndarray

    def matrix(self, seen: int) -> sp.csr_matrix:
        """Shape (texts, seen)."""
        return sp.csr_matrix((self.weights, (self.rows, self.places)), shape=(self.texts, seen))

    def times(self, sparse: np.ndarray) -> np.ndarray:
        """The product with `sparse`, shape (seen, labels): shape (texts, labels).

        In the order in which scipy would add, and so to the last bit what it would give.
        """
        terms = sparse[self.places]
        terms *= self.weights[:, None]
        bounds = self.rows.searchsorted(np.arange(self.texts + 1)).tolist()
        return np.array([np.add.reduce(terms[a:b], axis=0) for a, b in pairwise(bounds)])


def _weigh(raw: Counts, index: np.ndarray, idf: np.ndarray) -> _Weighed:
    """What is known of the texts, weighed."""
    place = index.searchsorted(raw.buckets)
    place[place == len(index)] = 0
    known = (index[place] == raw.buckets).nonzero()[0]
    rows, place = raw.rows[known], place[known]
    weights = np.log(raw.times[known])
    weights += 1
    weights *= idf[place]
    length = np.sqrt(np.bincount(rows, weights**2, minlength=raw.texts))
    weights /= np.maximum(length, 1e-12)[rows]
    return _Weighed(raw.texts, rows, place, weights)
