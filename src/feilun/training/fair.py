"""Which training examples may speak of how good a student is: a fair sample of the traffic."""

from collections.abc import Sequence

from feilun.records import Example

_ENOUGH_AUDITS = 50  # fewer say less than all labels together


def fair(examples: Sequence[Example]) -> list[bool]:
    """True for those that count: the random audits, or all where there are few audits.

    Corrections are a biased sample, and the teacher's own answers may be wrong.
    """
    audits = [example.source == "audit" for example in examples]
    return audits if sum(audits) >= _ENOUGH_AUDITS else [True] * len(audits)
