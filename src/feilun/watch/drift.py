"""Drift: the calls of a released student no longer look like those before them.

Two scores need no labels: the student's confidence, and how new the words of the input
are. A change of either is a reason to audit more, and no proof that answers are wrong.
"""

from collections.abc import Iterator
from typing import Literal

from feilun.records import Call, Drift, Release, content_id
from feilun.watch.conformal import Exchangeability, chance_of
from feilun.watch.novelty import Novelty

LIMIT = 100.0  # reached by chance by at most one stretch of unchanged traffic in a hundred

_What = Literal["confidence", "input"]


class Drifting:
    """Watches the calls of one release in the order of the log. After a drift it starts anew."""

    def __init__(self, release: Release, novelty: Novelty | None) -> None:
        self.seen = 0
        self._release = release
        self._novelty = novelty
        self._tests: dict[_What, Exchangeability] = {
            "confidence": Exchangeability(),
            "input": Exchangeability(),
        }

    def evidence(self) -> dict[str, float]:
        """What speaks for a change since the last drift, and 1 where nothing does."""
        return {what: test.evidence for what, test in self._tests.items()}

    def call(self, call: Call) -> Iterator[Drift]:
        """Take a call, and yield a drift where it completes the evidence of one."""
        if call.release != self._release.id or call.confidence is None:
            return
        self.seen += 1
        chance = chance_of(call.id)
        scores: dict[_What, float] = {"confidence": call.confidence}
        if self._novelty is not None and call.kept != "hashed":
            scores["input"] = self._novelty(call.input)
        for what, score in scores.items():
            evidence = self._tests[what].step(score, chance)
            if evidence >= LIMIT:
                self._tests[what] = Exchangeability()
                yield self._drift(call, what, evidence)

    def _drift(self, call: Call, what: _What, evidence: float) -> Drift:
        """A function of the log alone: whoever reads it again writes the same record."""
        return Drift(
            id=content_id([self._release.id, what, call.id]),
            task=call.task,
            at=call.at,
            release=self._release.id,
            what=what,
            evidence=evidence,
            limit=LIMIT,
            seen=self.seen,
            last=call.id,
        )
