"""The circuit breaker and the retry policy: laws of two pure things."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feilun.errors import BrokenReply, EngineError, Refused, TimedOut, Unreachable
from feilun.models.breaker import Breaker, State, blames_server
from feilun.models.retry import BUSY, Policy, is_safe, pause, retry_after

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SAFE = [Unreachable("x"), BrokenReply("x"), *(Refused("x", status) for status in sorted(BUSY))]
UNSAFE = [TimedOut("x"), EngineError("x"), Refused("x", 400), Refused("x", 500)]


def luck(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - jitter, no secret


def opened(breaker: Breaker, at: float = 0.0) -> Breaker:
    for _ in range(5):
        breaker.failed(at)
    return breaker


def test_a_server_that_answers_is_asked() -> None:
    breaker = Breaker()
    for second in range(100):
        assert breaker.allows(second)
        breaker.succeeded(second)
    assert breaker.state(100) is State.CLOSED


def test_failures_in_a_row_open_it_and_a_success_ends_the_row() -> None:
    breaker = Breaker(row=5, least=1000)
    for _ in range(10):
        for _ in range(4):
            breaker.failed(0)
        breaker.succeeded(0)
    assert breaker.state(0) is State.CLOSED
    assert opened(breaker).state(0) is State.OPEN
    assert not breaker.allows(1)


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    breaker = Breaker(least=20)
    for _ in range(9):
        breaker.succeeded(0)
        breaker.failed(0)
    breaker.succeeded(0)
    assert breaker.state(0) is State.CLOSED
    breaker.failed(0)
    assert breaker.state(0) is State.OPEN


def test_a_request_that_fails_again_and_again_takes_the_server_from_nobody() -> None:
    breaker = Breaker(row=5, least=20)
    for _ in range(30):
        breaker.failed(0, request=7)
        breaker.succeeded(0)
    for _ in range(30):
        breaker.failed(0, request=7)
    assert breaker.state(0) is State.CLOSED


def test_different_requests_that_fail_open_it_and_so_do_connections_that_fail() -> None:
    told_apart, unsent = Breaker(row=5), Breaker(row=5)
    for request in range(5):
        assert told_apart.state(0) is unsent.state(0) is State.CLOSED
        for _ in range(3):
            told_apart.failed(0, request)
        unsent.failed(0)
    assert told_apart.state(0) is unsent.state(0) is State.OPEN


def test_a_request_that_fails_after_the_window_counts_once_more() -> None:
    breaker = Breaker(row=5, window=30)
    for minute in range(5):
        breaker.failed(60.0 * minute, request=7)
    assert breaker.state(240) is State.OPEN


def test_failures_older_than_the_window_are_forgotten() -> None:
    breaker = Breaker(least=20, window=30)
    for second in range(0, 400, 4):
        breaker.succeeded(second)
        breaker.failed(second)
    assert breaker.state(400) is State.CLOSED  # 16 calls in any 30 seconds


def test_after_its_rest_one_probe_goes_through_and_its_success_closes_it() -> None:
    breaker = opened(Breaker(rest=2))
    assert not breaker.allows(1.9)
    assert breaker.wait(1.5) == 0.5
    assert breaker.state(2) is State.HALF_OPEN
    assert [breaker.allows(2.0) for _ in range(3)] == [True, False, False]
    breaker.succeeded(2.5)
    assert breaker.state(2.5) is State.CLOSED
    assert breaker.wait(2.5) == 0


def test_each_failed_probe_doubles_the_rest_up_to_the_longest() -> None:
    breaker, now, waits = opened(Breaker(rest=2, longest_rest=10)), 0.0, []
    for _ in range(5):
        waits.append(breaker.wait(now))
        now += breaker.wait(now)
        assert breaker.allows(now)
        breaker.failed(now)
    assert waits == [2, 4, 8, 10, 10]


def test_a_probe_that_nobody_hears_of_blocks_nobody() -> None:
    breaker = opened(Breaker(rest=2))
    assert breaker.allows(2)
    assert not breaker.allows(3.9)
    assert breaker.allows(4)


def test_a_late_answer_to_an_old_call_does_not_close_it() -> None:
    breaker = opened(Breaker(rest=2))
    breaker.succeeded(1)
    assert breaker.state(1) is State.OPEN


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["ask", "well", "ill"])), max_size=200))
def test_whatever_happens_an_open_breaker_lets_one_call_through_a_rest(
    story: list[tuple[float, str]],
) -> None:
    breaker, now, probed = Breaker(rest=2), 0.0, -2.0
    for passed, what in story:
        now += passed
        if what == "ask" and breaker.state(now) is not State.CLOSED and breaker.allows(now):
            assert now - probed >= 2
            probed = now
        elif what == "well":
            breaker.succeeded(now)
        elif what == "ill":
            breaker.failed(now)
        assert breaker.wait(now) <= 60


@given(st.lists(st.sampled_from(["well", "ill"]), max_size=200))
def test_whatever_happened_a_server_that_is_well_again_is_asked_again(story: list[str]) -> None:
    breaker = Breaker()
    for what in story:
        breaker.failed(0) if what == "ill" else breaker.succeeded(0)
    assert breaker.allows(breaker.wait(0))
    breaker.succeeded(100)
    assert breaker.state(100) is State.CLOSED


def test_the_server_is_not_to_blame_for_a_bad_request_or_a_full_house() -> None:
    blamed = [Unreachable("x"), TimedOut("x"), BrokenReply("x"), Refused("x", 500)]
    assert all(blames_server(error) for error in blamed)
    assert not any(blames_server(Refused("x", status)) for status in (400, 401, 404, 429))


@pytest.mark.parametrize("error", SAFE, ids=repr)
def test_what_is_safe_is_sent_again_until_the_attempts_are_used_up(error: EngineError) -> None:
    policy, chance = Policy(retries=2), luck(1)
    waits = [pause(error, n, begun=False, policy=policy, chance=chance) for n in range(4)]
    assert [wait is None for wait in waits] == [False, False, True, True]


@pytest.mark.parametrize("error", UNSAFE, ids=repr)
def test_what_is_not_safe_is_never_sent_again(error: EngineError) -> None:
    assert not is_safe(error)
    assert pause(error, 0, begun=False, policy=Policy(), chance=luck(1)) is None


@given(st.sampled_from(SAFE + UNSAFE), st.integers(0, 5))
def test_nothing_is_sent_again_once_an_answer_has_begun(error: EngineError, attempt: int) -> None:
    policy = Policy(retries=5)
    assert pause(error, attempt, begun=True, policy=policy, chance=luck(1)) is None


@given(st.integers(0, 10_000), st.integers())
def test_waits_have_full_jitter_and_a_bound(attempt: int, seed: int) -> None:
    policy = Policy(retries=20_000, first=0.25, longest=8)
    wait = pause(Unreachable("x"), attempt, begun=False, policy=policy, chance=luck(seed))
    assert wait is not None
    assert 0 <= wait <= min(8, 0.25 * 2.0 ** min(attempt, 6))


def test_the_same_seed_waits_the_same() -> None:
    def waits() -> list[float | None]:
        chance, policy = luck(7), Policy(retries=9)
        return [
            pause(Unreachable("x"), n, begun=False, policy=policy, chance=chance) for n in range(9)
        ]

    assert waits() == waits()
    assert len(set(waits())) == 9


@given(st.floats(0, 20), st.integers(0, 1), st.integers())
def test_no_request_comes_back_before_the_server_said(
    asked: float, attempt: int, seed: int
) -> None:
    error = Refused("x", 429, asked)
    wait = pause(error, attempt, begun=False, policy=Policy(), chance=luck(seed))
    assert wait is not None
    assert asked <= wait <= asked + 8


def test_a_server_that_asks_for_too_much_patience_is_left() -> None:
    error = Refused("x", 429, 21.0)
    assert pause(error, 0, begun=False, policy=Policy(most_asked=20), chance=luck(1)) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("9" * 400, 86_400),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Tue, 24 Nov 2026 12:00:05 -0000", 5),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "٣", "Fri, 99 Foo", "1e9"])
def test_a_retry_after_that_says_nothing_is_none(value: str) -> None:
    assert retry_after(value, NOW) is None


@given(st.text(max_size=40))
def test_no_retry_after_is_an_error_or_out_of_bounds(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 86_400
