"""A circuit breaker: stops asking a server that fails, and finds out when it is well again.

Pure: the caller says what time it is (seconds of any clock that does not go back), what
came of a call, and asks before the next one. One breaker a server.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

from feilun.errors import BrokenReply, EngineError, Refused, TimedOut, Unreachable


def blames_server(error: EngineError) -> bool:
    """Whether an error counts as a failure of the server.

    A refusal of the request (4xx) does not, and neither does 429: that server is well.
    """
    if isinstance(error, Refused):
        return error.status >= 500
    return isinstance(error, Unreachable | TimedOut | BrokenReply)


class State(Enum):
    """How a server stands."""

    CLOSED = "closed"  # it answers: ask
    OPEN = "open"  # it fails: do not ask, until a rest is over
    HALF_OPEN = "half-open"  # the rest is over: one call at a time finds out


class _Outcome(NamedTuple):
    """What came of a call, and the request that may be to blame where it failed."""

    at: float
    failed: bool
    request: int | None = None


class Breaker:
    """Opens after `row` failures in a row, or when `share` of the recent calls failed.

    Recent are the last 50 within `window` seconds, and there must be `least` of them: one
    failure of two says nothing. The rest is `rest` seconds and doubles with each probe that
    fails, up to `longest_rest`. A probe of which nothing is heard gives way to another one
    after as long a rest, so a call that was cancelled blocks nobody.

    A request that its sender repeats, and that a healthy server fails at each time, must not
    take the server from all others: a request counts once among the recent failures.
    """

    def __init__(
        self,
        *,
        row: int = 5,
        share: float = 0.5,
        least: int = 20,
        window: float = 30.0,
        rest: float = 2.0,
        longest_rest: float = 60.0,
    ) -> None:
        self._row = row
        self._share = share
        self._least = least
        self._window = window
        self._first_rest = rest
        self._longest_rest = longest_rest
        self._state = State.CLOSED
        self._recent: deque[_Outcome] = deque(maxlen=max(50, least))
        self._failed_in_row = 0
        self._rest = rest
        self._next_probe = 0.0

    def state(self, now: float) -> State:
        """How the server stands; an open breaker whose rest is over is half-open."""
        if self._state is State.OPEN and now >= self._next_probe:
            return State.HALF_OPEN
        return self._state

    def allows(self, now: float) -> bool:
        """Whether to ask the server now. A half-open breaker gives its probe to who asks first."""
        if self._state is State.CLOSED:
            return True
        if now < self._next_probe:
            return False
        self._state = State.HALF_OPEN
        self._next_probe = now + self._rest
        return True

    def wait(self, now: float) -> float:
        """Seconds until it may be asked again; 0 where it may be now."""
        return 0.0 if self._state is State.CLOSED else max(0.0, self._next_probe - now)

    def succeeded(self, now: float) -> None:
        """A call was answered. A late answer to an old call does not close an open breaker."""
        if self._state is State.OPEN:
            return
        if self._state is State.HALF_OPEN:
            self._state = State.CLOSED
            self._rest = self._first_rest
            self._recent.clear()
        self._failed_in_row = 0
        self._recent.append(_Outcome(now, failed=False))

    def failed(self, now: float, request: int | None = None) -> None:
        """A call was not answered, and the server is to blame.

        `request` tells requests apart, as a hash does; None where it never reached the server,
        so that it cannot be what the server fails at.
        """
        if self._state is State.OPEN:
            return
        if self._state is State.HALF_OPEN:
            self._rest = min(self._longest_rest, self._rest * 2)
            self._open(now)
            return
        if request is not None and any(one.request == request for one in self._since(now)):
            return
        self._failed_in_row += 1
        self._recent.append(_Outcome(now, failed=True, request=request))
        if self._failed_in_row >= self._row or self._fails_often(now):
            self._open(now)

    def _open(self, now: float) -> None:
        self._state = State.OPEN
        self._next_probe = now + self._rest
        self._failed_in_row = 0
        self._recent.clear()

    def _fails_often(self, now: float) -> bool:
        recent = self._since(now)
        failed = sum(one.failed for one in recent)
        return len(recent) >= self._least and failed >= self._share * len(recent)

    def _since(self, now: float) -> list[_Outcome]:
        return [one for one in self._recent if one.at > now - self._window]
