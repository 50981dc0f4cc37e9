"""An alarm over HTTP: under load, in two processes, no request that begins after it is
answered by the student that was called back.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace

import httpx
import pytest
from gateway_server import Running, running
from kiosk_log import moved, opened

from feilun.gateway.looking import look
from feilun.house import House
from feilun.house.guarding import Guarding
from feilun.records import Alarm, Certificate, Json, Release, WhyAlarm
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK, lines
from feilun.testing.upstream import Exchange, Upstream, chat
from feilun.verify import verify
from feilun.wiring import open_house

CALLS = f"/v1/tasks/{KIOSK.task}/calls"
TEXTS = [line.text for line in lines(400, seed=5)]
CALLERS = 4
SLOW = 15.0  # seconds for another process to follow; it takes one


async def knows(exchange: Exchange) -> None:
    await chat("drinks")(exchange)


@dataclass
class Kiosk:
    """Two gateways on one store, and the house of the same store in this process."""

    one: Running
    other: Running
    house: House

    def ask(self, up: Running, text: str) -> Json:
        headers = self.one.headers  # one store, one set of keys
        said = httpx.post(up.url + CALLS, json={"input": text}, headers=headers, timeout=30)
        assert said.status_code == 200, said.text
        return said.json()

    def audit(self, call: str, right: str) -> None:
        body = {"call": call, "output": right}
        said = httpx.post(
            self.one.url + "/v1/audits", json=body, headers=self.one.headers, timeout=30
        )
        assert said.status_code == 201, said.text

    def alarms(self) -> list[Alarm]:
        return list(self.house.store.read(Alarm, KIOSK.task))


@dataclass
class Load:
    """Callers who ask without pause, and when each answer's request began."""

    ask: Callable[[str], Json]
    seen: list[tuple[float, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    broken: list[Exception] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self._threads:
            each.join()

    def _call(self, first: int) -> None:
        try:
            for n in count(first):
                if self.over.is_set():
                    return
                began = time.monotonic()
                self.seen.append((began, self.ask(TEXTS[n % len(TEXTS)])["by"]))
        except Exception as error:
            self.broken.append(error)


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    place, second = (tmp_path_factory.mktemp(name) for name in ("one", "other"))
    with closing(open_store(place / "store", None)) as store:
        moved(opened(), store)
    with Upstream() as upstream:
        upstream.behave(knows)
        args = ("--store", str(place / "store"))
        with (
            running(place, upstream=upstream) as one,
            running(second, upstream=upstream, args=args) as other,
            closing(open_house(place / "store")) as house,
        ):
            yield Kiosk(one, other, house)


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + SLOW
    while not holds():
        assert time.monotonic() < end, "the gateway did not follow"


def test_once_the_alarm_is_durable_no_request_that_begins_is_answered_by_the_student(
    kiosk: Kiosk,
) -> None:
    with Load(lambda text: kiosk.ask(kiosk.one, text)) as load:
        texts = iter(TEXTS)
        while not kiosk.alarms():
            call = kiosk.ask(kiosk.one, next(texts))
            if call["by"] == "student":
                kiosk.audit(call["id"], "papers" if call["output"] == "drinks" else "drinks")
        raised = time.monotonic()
        until(lambda: load.broken or sum(began > raised for began, _ in load.seen) >= 40)
    assert load.broken == []
    assert "student" in {by for began, by in load.seen if began < raised}
    assert {by for began, by in load.seen if began > raised} == {"teacher"}

    (alarm,) = kiosk.alarms()
    pointer = kiosk.house.pointer(KIOSK.task)
    assert pointer is not None
    assert (pointer.by, pointer.alarm, pointer.variant) == ("alarm", alarm.id, None)
    assert alarm.why is WhyAlarm.RISK

    # The other process follows, as it does where a person moves the pointer.
    until(lambda: kiosk.ask(kiosk.other, TEXTS[0])["by"] == "teacher")
    assert {kiosk.ask(kiosk.other, text)["by"] for text in TEXTS[:30]} == {"teacher"}


def test_what_needs_no_audit_is_looked_at_every_second(kiosk: Kiosk) -> None:
    certificate = next(iter(kiosk.house.store.read(Certificate, KIOSK.task)))
    kiosk.house.release(KIOSK.task, certificate.id, "to watch its speed")
    until(lambda: kiosk.ask(kiosk.one, TEXTS[1])["by"] == "student")
    before = len(kiosk.alarms())
    line = KIOSK.red_line.model_copy(update={"p95_seconds": 1e-9})
    kiosk.house.declare(KIOSK.model_copy(update={"red_line": line}))
    texts = iter(TEXTS)
    until(lambda: kiosk.ask(kiosk.one, next(texts))["by"] == "teacher")
    until(lambda: len(kiosk.alarms()) > before)
    assert kiosk.alarms()[-1].why is WhyAlarm.SLOW


def test_a_gateway_that_stops_does_not_wait_for_a_long_look() -> None:
    stand = opened()
    stopping = SimpleNamespace(draining=True, house=stand.house)
    stand.house.guarding = Guarding(stand.house, lambda _: None, lambda _: None)  # knows nothing
    with pytest.raises(asyncio.CancelledError):
        look(stopping)  # type: ignore[arg-type]


def test_two_gateways_raise_each_alarm_once_and_the_log_gives_it_again(kiosk: Kiosk) -> None:
    moves = list(kiosk.house.store.read(Release, KIOSK.task))
    by_alarm = [move.alarm for move in moves if move.by == "alarm"]
    assert sorted(by_alarm) == sorted(alarm.id for alarm in kiosk.alarms())
    assert len(set(by_alarm)) == len(by_alarm) > 0
    checks = [check for check in verify(kiosk.house) if check.kind in {"alarm", "release", "log"}]
    assert [check.problem for check in checks if check.problem] == []
