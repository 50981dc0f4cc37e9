"""Whether a failed request may be sent again, and when.

Pure: errors and a source of chance go in, seconds come out. A request to a model costs
money and has no undo, so it goes again only where nothing of an answer has arrived.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from feilun.errors import BrokenReply, EngineError, Refused, Unreachable

BUSY = frozenset({429, 502, 503, 504})
"""What a server answers that would have answered another time."""

_LONGEST = 86_400.0  # of a Retry-After: past a day it is the same as never


@dataclass(frozen=True)
class Policy:
    """How often and how patiently. Waits grow from `first` to `longest`, in seconds.

    A server that asks for more patience than `most_asked` is not asked again: the error
    goes to the caller, who may have another server.
    """

    retries: int = 2
    first: float = 0.25
    longest: float = 8.0
    most_asked: float = 20.0


def pause(
    error: EngineError, attempt: int, *, begun: bool, policy: Policy, chance: Random
) -> float | None:
    """Seconds to wait before the next attempt; None where there shall be none.

    `attempt` counts from 0. `begun` says that an answer had begun to arrive, so that asking
    again would pay twice and could say two things to one client.
    """
    if begun or attempt >= policy.retries or not is_safe(error):
        return None
    asked = error.retry_after if isinstance(error, Refused) else None
    if asked is not None and asked > policy.most_asked:
        return None
    # Full jitter: clients that failed together must not come back together.
    jitter = chance.uniform(0.0, min(policy.longest, policy.first * 2.0 ** min(attempt, 30)))
    return (asked or 0.0) + jitter


def is_safe(error: EngineError) -> bool:
    """Whether asking again, before a reply has begun, can do no harm and some good.

    A server that was silent for too long (TimedOut) is not asked again: it may still be at it.
    """
    if isinstance(error, Refused):
        return error.status in BUSY
    return isinstance(error, Unreachable | BrokenReply)


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date.

    None where it says neither; never negative, and at most a day.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(_LONGEST, float(text))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError, TypeError):
        return None
    if at.tzinfo is None:  # "-0000": UTC, says RFC 5322
        at = at.replace(tzinfo=UTC)
    return min(_LONGEST, max(0.0, (at - now).total_seconds()))
