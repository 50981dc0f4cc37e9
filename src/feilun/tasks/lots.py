"""Lots: chance that follows from a call's id, so that anyone can draw again and get the same."""

import hashlib
import math


def lot(of: bytes, *words: str) -> float:
    """A number in [0, 1), even, and independent for each purpose `of` (up to 16 bytes)."""
    raw = hashlib.blake2b("\n".join(words).encode(), digest_size=8, person=of).digest()
    return int.from_bytes(raw, "big") / math.ldexp(1, 64)


def leads(how: str, trial: str, share: float, call: str) -> bool:
    """Whether the candidate of a trial has the first word on a call; never in the shadow."""
    return how == "canary" and lot(b"feilun.trial", trial, call) < share
