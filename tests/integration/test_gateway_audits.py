"""Audits over HTTP: the queue, its leases, the summary, and the teacher in idle time."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import httpx
import pytest
from gateway_server import Running, running
from kiosk_log import moved, opened

from feilun.records import Audit, Call, Json
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK
from feilun.testing.upstream import Exchange, chat, hang

IDLE = '[audits]\nteacher = "idle"\nper_day = 3\n'
SLOW = 30.0


async def drinks(exchange: Exchange) -> None:
    await chat("drinks")(exchange)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A kiosk whose student has served while its keeper was away."""
    stand = opened()
    for line in stand.traffic[1000:1060]:
        stand.house.answer(KIOSK.task, line.text)
    with closing(open_store(tmp_path / "store")) as kept:
        moved(stand, kept)
    return tmp_path


@pytest.fixture
def up(place: Path) -> Iterator[Running]:
    with running(place) as found:
        yield found


def get(up: Running, path: str, **query: Json) -> Json:
    said = httpx.get(up.url + path, params=query, headers=up.headers, timeout=30)
    assert said.status_code == 200, said.text
    return said.json()["data"]


def summary(up: Running) -> Json:
    [row] = get(up, "/v1/audits/summary")
    return row


def until(true: Callable[[], bool]) -> None:
    end = monotonic() + SLOW
    while not true():
        assert monotonic() < end, "it did not happen"


def test_two_people_judge_different_calls_and_a_skip_is_counted(up: Running) -> None:
    everybody = [row["call"] for row in get(up, "/v1/audits", task=KIOSK.task)]
    ann = [row["call"] for row in get(up, "/v1/audits", person="Ann", limit=3)]
    bo = [row["call"] for row in get(up, "/v1/audits", person="Bo", limit=3)]
    assert ann == everybody[:3]
    assert bo == everybody[3:6]
    skip = {"call": ann[0], "reason": "half of it is missing"}
    said = httpx.post(up.url + "/v1/audits/skips", json=skip, headers=up.headers)
    assert (said.status_code, said.json()["kind"]) == (201, "skip")
    assert [row["call"] for row in get(up, "/v1/audits")][-1] == ann[0]
    body = {"call": ann[1], "output": "fruit"}
    assert httpx.post(up.url + "/v1/audits", json=body, headers=up.headers).status_code == 201
    row = summary(up)
    assert (row["skipped"], row["waiting"]) == (1, len(everybody) - 1)
    assert row["rate"] == 0.3
    bad = httpx.get(up.url + "/v1/audits", params={"person": "x" * 101}, headers=up.headers)
    assert bad.status_code == 400


def test_the_calls_of_a_new_release_are_drawn_more_often(place: Path) -> None:
    with running(place, "audit_rate = 0.2") as up:
        up.upstream.behave(drinks)
        path = f"{up.url}/v1/tasks/{KIOSK.task}/calls"

        def rate() -> float:
            said = httpx.post(path, json={"input": "绿茶"}, headers=up.headers, timeout=30).json()
            call = httpx.get(f"{up.url}/v1/calls/{said['id']}", headers=up.headers).json()
            return float(call["audit_rate"])

        until(lambda: rate() > 0.3)


def test_the_teacher_judges_in_idle_time_and_keeps_to_its_budget(place: Path) -> None:
    with running(place, IDLE) as up:
        up.upstream.behave(drinks)
        until(lambda: summary(up)["for_teacher"] == 0 or len(up.upstream.requests) >= 3)
        before = summary(up)["by_teacher"]
        assert before > 0
        until(lambda: len(up.upstream.requests) == 3)
    with closing(open_store(place / "store")) as kept:
        audits = [audit for audit in kept.read(Audit) if audit.by == "teacher"]
        asked = [audit for audit in audits if kept.get(Call, audit.call).by == "student"]
    assert len(up.upstream.requests) == 3
    assert len(asked) <= 3
    assert len({audit.call for audit in audits}) == len(audits)


def test_a_request_waits_for_no_audit(place: Path) -> None:
    with running(place, IDLE) as up:
        up.upstream.behave(hang)
        until(lambda: bool(up.upstream.requests))  # an audit is being asked, and never answered
        said = httpx.post(
            f"{up.url}/v1/tasks/{KIOSK.task}/calls", json={"input": "green tea"},
            headers=up.headers, timeout=20,
        )  # fmt: skip
        assert (said.status_code, said.json()["by"]) == (200, "student")
        until(lambda: up.upstream.connections_open == 0)
