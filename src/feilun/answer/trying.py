"""A trial: two students on the same calls. One has the first word, the other speaks beside it.

Who leads is drawn by the call's id, so anyone can draw again. In the shadow the candidate
never leads. The one beside is asked when the answer has been made: its time is its own, and
its faults are nobody's.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feilun.answer.begun import Asked, Begun, Serving, missing, predict
from feilun.ports import Prediction
from feilun.records import Aside, Call, Trial, WhyTeacher
from feilun.tasks import leads

log = logging.getLogger("feilun.answer")

Why = Callable[[Serving, Asked, Prediction], WhyTeacher | None]
"""Why a student must not serve what it has said; None where it may."""


@dataclass(frozen=True, slots=True)
class Trying:
    """A candidate on trial, loaded."""

    trial: Trial
    candidate: Serving

    def leads(self, call: str) -> bool:
        """Whether the candidate has the first word on a call."""
        trial = self.trial
        return leads(trial.how, trial.trial, trial.share, call)


def begin_tried(
    trying: Trying,
    incumbent: Serving | None,
    asked: Sequence[Asked],
    ids: Sequence[str],
    begin: Callable[..., Begun],
    why: Why,
) -> list[Begun]:
    """Ask of each call who leads on it. Those of the candidate wait for the others' batch.

    A candidate that fails leaves the word to the teacher.
    """
    led = [trying.leads(id) for id in ids]
    begun: dict[int, Begun] = {}
    waited = 0.0
    for serving, first in ((incumbent, False), (trying.candidate, True)):
        here = [n for n, one in enumerate(led) if one is first]
        said = _said(serving, [asked[n] for n in here], forgive=first)
        if serving is None or said is None:
            no = missing(serving)
            begun |= {n: begin(asked[n], ids[n], serving=serving, why=no) for n in here}
            continue
        share, waited = round(said[1] / max(len(here), 1), 6), round(waited + said[1], 6)
        for n, one in zip(here, said[0], strict=True):
            begun[n] = begin(
                asked[n], ids[n], serving=serving, prediction=one,
                why=why(serving, asked[n], one), student_seconds=share, seconds=waited,
            )  # fmt: skip
    return [begun[n] for n in range(len(ids))]


def beside(
    trying: Trying, incumbent: Serving | None, calls: Sequence[Call], why: Why
) -> list[Call]:
    """The calls of this trial, each with what the one that did not lead on it would have said."""
    found = list(calls)
    for other, first in ((trying.candidate, False), (incumbent, True)):
        here = [
            n
            for n, call in enumerate(calls)
            if call.trial == trying.trial.trial and trying.leads(call.id) is first
        ]
        asked = [_asked(calls[n]) for n in here]
        said = _said(other, asked, forgive=True)
        if other is None or said is None:
            continue
        share = round(said[1] / max(len(here), 1), 6)
        for n, each, one in zip(here, asked, said[0], strict=True):
            aside = Aside(
                variant=other.variant, output=one.output, confidence=one.confidence,
                sure=why(other, each, one) is None, seconds=share,
            )  # fmt: skip
            found[n] = found[n].model_copy(update={"aside": aside})
    return found


def _said(
    serving: Serving | None, asked: Sequence[Asked], *, forgive: bool
) -> tuple[list[Prediction], float] | None:
    """What a student says and its time, or None where there is none that could say it."""
    if serving is None or serving.student is None or not asked:
        return None
    try:
        return predict(serving.student, asked)
    except Exception as error:
        if not forgive:
            raise
        # Its words may hold an input, so only its kind is told.
        log.warning("Variant %s on trial failed: %s", serving.variant, type(error).__name__)
        return None


def _asked(call: Call) -> Asked:
    return Asked(call.input, call.id, call.parent, call.key, call.tenant)
