"""The tally of a trial: calls and audits as they come in, one step each, little remembered."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import NamedTuple

from feilun.records import Audit, Call, Ended, Json, Trial
from feilun.tasks import leads
from feilun.trials.evidence import Evidence, weigh

_LATEST = 1000  # calls of which the middle time is told

Loss = Callable[[Json, Json], float]


@dataclass(frozen=True)
class Comparison:
    """A candidate and an incumbent on the same calls.

    Shares are of the `calls` on which both have spoken. A teacher as the incumbent serves
    none of them as a student. Seconds are the middle of the latest thousand.
    """

    evidence: Evidence
    calls: int
    candidate_share: float | None
    incumbent_share: float | None
    candidate_loss: float | None
    incumbent_loss: float | None
    candidate_seconds: float | None
    incumbent_seconds: float | None


class _Word(NamedTuple):
    """What one of the two said of a call, whether it would have served, and its time."""

    output: Json
    serves: bool
    seconds: float


class _Pair(NamedTuple):
    """What both said of a call that was drawn; `common` is the traffic's own rate of audits."""

    candidate: Json
    incumbent: Json
    common: float | None


class _Judged(NamedTuple):
    """Both losses of a pair, its weight, and the rank of the audit that said so."""

    candidate: float
    incumbent: float
    weight: float
    rank: tuple[bool, datetime, str]


class Tally:
    """Holds a trial's candidate against one incumbent.

    `incumbent` and `release` are the variant and the release at work, None for the teacher.
    Calls and audits are to come in log order. Only drawn calls are remembered. `never` names
    the rule without tolerance that an output breaks where an audit says what was right;
    `broken` is the first that the candidate was found to break.
    """

    def __init__(
        self,
        trial: Trial,
        incumbent: str | None,
        release: str | None,
        loss: Loss,
        never: Callable[[Json, Json], str | None],
    ) -> None:
        self.trial = trial
        self.release = release
        self._incumbent = incumbent
        self._loss = loss
        self._never = never
        self.broken: str | None = None
        self._said: dict[str, Json] = {}  # by the candidate, of drawn calls that it would serve
        self._pairs: dict[str, _Pair] = {}
        self._judged: dict[str, _Judged] = {}
        self._calls = 0
        self._candidate = _Said()
        self._other = _Said()

    def see(self, call: Call, *, drawn: bool) -> None:
        """Count a call of this trial, if both have spoken on it."""
        own = self._own(call)
        if drawn and own is not None and own.serves:
            self._said[call.id] = own.output
        spoken = self._spoken(call)
        if spoken is None:
            return
        candidate, incumbent = spoken
        self._calls += 1
        self._candidate.count(candidate)
        self._other.count(incumbent)
        if drawn and candidate.serves and (incumbent.serves or self._incumbent is None):
            self._pairs[call.id] = _Pair(candidate.output, incumbent.output, call.common_rate)

    def judge(self, audit: Audit) -> None:
        """Take an audit's word, or a higher one than before.

        Of a teacher's own answers only people may judge: it would agree with itself.
        """
        if audit.call in self._said and self.broken is None:
            self.broken = self._never(self._said[audit.call], audit.output)
        pair = self._pairs.get(audit.call)
        if pair is None or (self._incumbent is None and audit.by != "person"):
            return
        rank = (audit.by == "person", audit.at, audit.id)
        held = self._judged.get(audit.call)
        if held is None or rank > held.rank:
            self._judged[audit.call] = _Judged(
                self._loss(pair.candidate, audit.output),
                self._loss(pair.incumbent, audit.output),
                min(1.0, (pair.common or audit.rate) / audit.rate),
                rank,
            )

    def comparison(self) -> Comparison:
        """What is known now."""
        judged = self._judged.values()
        return Comparison(
            evidence=weigh(Counter((one.candidate - one.incumbent, one.weight) for one in judged)),
            calls=self._calls,
            candidate_share=self._candidate.share(self._calls),
            incumbent_share=self._other.share(self._calls),
            candidate_loss=_mean((one.candidate, one.weight) for one in judged),
            incumbent_loss=_mean((one.incumbent, one.weight) for one in judged),
            candidate_seconds=self._candidate.middle(),
            incumbent_seconds=self._other.middle(),
        )

    def _own(self, call: Call) -> _Word | None:
        """What the candidate said of a call, first or beside; None where it did not speak."""
        trial, aside = self.trial, call.aside
        if call.trial != trial.trial or call.ended is not Ended.COMPLETE:
            return None
        if leads(trial.how, trial.trial, trial.share, call.id):
            return _Word(call.output, call.by == "student", call.student_seconds)
        return None if aside is None else _Word(aside.output, aside.sure, aside.seconds)

    def _spoken(self, call: Call) -> tuple[_Word, _Word] | None:
        """The words of candidate and incumbent; None where one has not spoken."""
        own, aside = self._own(call), call.aside
        if own is None or aside is None:
            return None
        if aside.variant != self.trial.variant:
            other = _Word(aside.output, aside.sure, aside.seconds)
            return (own, other) if aside.variant == self._incumbent else None
        if call.release != self.release:
            return None
        if self._incumbent is None:
            return own, _Word(call.output, False, call.seconds)
        return own, _Word(call.output, call.by == "student", call.student_seconds)


class _Said:
    """How often one of the two would have served, and how long it took."""

    def __init__(self) -> None:
        self._serves = 0
        self._seconds: deque[float] = deque(maxlen=_LATEST)

    def count(self, word: _Word) -> None:
        self._serves += word.serves
        self._seconds.append(word.seconds)

    def share(self, calls: int) -> float | None:
        return self._serves / calls if calls else None

    def middle(self) -> float | None:
        return median(self._seconds) if self._seconds else None


def _mean(weighed: Iterable[tuple[float, float]]) -> float | None:
    rows = list(weighed)
    total = sum(weight for _, weight in rows)
    return sum(value * weight for value, weight in rows) / total if total else None
