"""The chain of the log, walked from end to end."""

import re
from collections.abc import Iterator
from itertools import islice

from feilun.errors import InputError, StoreError
from feilun.house import House
from feilun.ports import Head, Progress
from feilun.verify.check import Check

# Rows of a broken log that are named. The first is where to look; more say how far it goes.
MOST_NAMED = 20


def log_problems(house: House, progress: Progress | None, noted: Head | None) -> Iterator[Check]:
    """The rows that are not what was appended, the first of them."""
    try:
        for flaw in islice(house.store.check(noted, progress), MOST_NAMED):
            problem = f"{flaw.kind} {flaw.id!r} (log row {flaw.seq}) {flaw.problem}"
            yield Check("log", str(flaw.seq), "", problem)
    except StoreError as error:
        yield Check("log", "", "", str(error))


def read_head(text: str) -> Head:
    """A head as `write_head` gave it. Raises InputError."""
    seq, _, chain = text.partition(":")
    if not (re.fullmatch(r"[0-9]{1,19}", seq, re.ASCII) and re.fullmatch(r"[0-9a-f]{64}", chain)):
        raise InputError(
            f"{text[:100]!r} is no head of a log. Write SEQ:HEX as `feilun verify` printed it: "
            "a number, a colon and 64 hex digits"
        )
    return Head(int(seq), chain)


def write_head(head: Head) -> str:
    """A head in one word, for a person to keep."""
    return f"{head.seq}:{head.chain}"
