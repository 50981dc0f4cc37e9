"""A trial over HTTP: who leads is a lot, every call is paired, and nobody waits for it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest
from gateway_server import Running, running
from kiosk_log import NOON, a_call, moved, opened
from scipy.stats import binom

from feilun.answer import Answerer
from feilun.gateway.asides import Asides
from feilun.gateway.capture import Capture
from feilun.gateway.config import CaptureConfig
from feilun.gateway.keeping import keep_call
from feilun.house import House
from feilun.ports import Prediction
from feilun.records import RAW, Aside, Call, Certificate, Json, Record, Release, Trial
from feilun.store import open_store
from feilun.tasks import leads
from feilun.testing import FakeClock, FakeStudent
from feilun.testing.kiosk import KIOSK, lines
from feilun.testing.upstream import chat
from feilun.wiring import open_house

PATH = f"/v1/tasks/{KIOSK.task}"
TEXTS = [line.text for line in lines(300, seed=6)]
SLOW = 15.0  # seconds for another process to follow; it takes one


@dataclass
class Kiosk:
    """A gateway, and the house of the same store in this process."""

    up: Running
    house: House
    http: httpx.Client

    def ask(self, text: str, **headers: str) -> httpx.Response:
        said = self.http.post(PATH + "/calls", json={"input": text}, headers=headers)
        assert said.status_code == 200, said.text
        return said

    def ask_all(self, texts: Sequence[str]) -> list[Call]:
        """At once, from eight callers; what was kept of each."""
        with ThreadPoolExecutor(8) as callers:
            ids = [said.json()["id"] for said in callers.map(self.ask, texts)]
        return [self.house.store.get(Call, id) for id in ids]

    def trial(self, **body: Json) -> httpx.Response:
        return self.http.post(PATH + "/trial", json=body)

    @property
    def incumbent(self) -> Release:
        moved = self.house.pointer(KIOSK.task)
        assert moved is not None
        return moved

    @property
    def other(self) -> Certificate:
        """The certificate of the student that is not at work."""
        proofs = self.house.store.read(Certificate, KIOSK.task)
        return next(proof for proof in proofs if proof.candidate != self.incumbent.variant)


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    folder = tmp_path_factory.mktemp("kiosk")
    stand = opened()
    while len(list(stand.store.read(Certificate))) < 2:
        stand.serve(300)
        stand.turn()
    with closing(open_store(folder / "store")) as store:
        moved(stand, store)
    with (
        running(folder) as up,
        closing(open_house(folder / "store")) as house,
        httpx.Client(base_url=up.url, headers=up.headers, timeout=30) as http,
    ):
        up.upstream.behave(chat('"drinks"'))
        yield Kiosk(up, house, http)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SLOW
    while not holds():
        assert time.monotonic() < end, "the gateway did not follow"


def test_a_canary_has_its_share_and_every_call_is_paired(kiosk: Kiosk) -> None:
    begun = kiosk.trial(do="canary", certificate=kiosk.other.id, share=0.3, reason="try")
    assert begun.status_code == 201, begun.text
    trial = begun.json()["trial"]
    calls = kiosk.ask_all(TEXTS)
    assert {call.trial for call in calls} == {trial}
    led = [call for call in calls if leads("canary", trial, 0.3, call.id)]
    low, high = binom.ppf([0.0005, 0.9995], len(calls), 0.3)
    assert low <= len(led) <= high

    # Whoever answered, the other one's word stands beside it.
    candidate, incumbent = kiosk.other.candidate, kiosk.incumbent.variant
    for call in calls:
        assert call.aside is not None
        first, beside = (candidate, incumbent) if call in led else (incumbent, candidate)
        assert call.aside.variant == beside
        assert call.by == "teacher" or call.variant == first
    assert {call.release for call in led} == {None}
    assert {call.release for call in calls if call not in led} == {kiosk.incumbent.id}

    # What is told of the trial counts them all.
    shown = kiosk.http.get(PATH + "/trial").json()
    assert (shown["calls"], shown["incumbent"], shown["shown"]) == (300, incumbent, "open")
    assert shown["trial"]["trial"] == trial


def test_a_canarys_answer_names_its_own_certificate(kiosk: Kiosk) -> None:
    until(lambda: kiosk.ask(TEXTS[0]).json()["variant"] == kiosk.other.candidate)
    for _ in range(30):
        said = kiosk.ask(TEXTS[0])
        proofs = {kiosk.other.candidate: kiosk.other.id,
                  kiosk.incumbent.variant: kiosk.incumbent.certificate}  # fmt: skip
        assert said.headers["x-feilun-certificate"] == proofs[said.json()["variant"]]


def test_a_second_trial_and_a_wrong_wish_are_refused_in_words(kiosk: Kiosk) -> None:
    again = kiosk.trial(do="shadow", candidate=kiosk.other.candidate, reason="too")
    assert (again.status_code, "Stop it first" in again.text) == (409, True)
    for body in (
        {"do": "canary", "certificate": "x", "share": 2, "reason": "a"},
        {"do": "shadow", "candidate": "x", "reason": ""},
        {"do": "dance", "reason": "a"},
        {"reason": "a"},
    ):
        assert kiosk.trial(**body).status_code == 422
    nobody = kiosk.http.get("/v1/tasks/kiosk.self/trial")
    assert nobody.status_code == 404


def test_only_an_admins_key_starts_and_sees_trials(kiosk: Kiosk) -> None:
    assert kiosk.http.get(PATH + "/trial", headers={"authorization": "Bearer x"}).status_code == 401
    route = kiosk.http.get("/openapi.json").json()["paths"]["/v1/tasks/{name}/trial"]
    assert set(route) >= {"get", "post"}


def test_a_stopped_trial_is_over_and_a_shadow_serves_nobody(kiosk: Kiosk) -> None:
    assert kiosk.trial(do="stop", reason="enough").json()["ended"] is True
    assert {call.trial for call in kiosk.ask_all(TEXTS[:10])} == {None}
    begun = kiosk.trial(do="shadow", candidate=kiosk.other.candidate, reason="beside")
    assert begun.status_code == 201, begun.text
    calls = kiosk.ask_all(TEXTS[:60])
    assert {c.variant for c in calls if c.by == "student"} == {kiosk.incumbent.variant}
    assert {c.aside and c.aside.variant for c in calls} == {kiosk.other.candidate}
    assert all(c.aside and c.aside.seconds > 0 for c in calls)
    assert all(c.seconds < 5 and c.student_seconds <= c.seconds for c in calls)

    # Another process ends it, and the gateway follows.
    kiosk.house.trials.stop(KIOSK.task, "from elsewhere")
    until(lambda: kiosk.ask_all(TEXTS[:1])[0].trial is None)
    assert [t.ended for t in kiosk.house.store.read(Trial)] == [False, True, False, True]


def test_a_call_says_whom_it_serves(kiosk: Kiosk) -> None:
    for name in ("acme", "上海店"):
        said = kiosk.http.post(
            PATH + "/calls", json={"input": TEXTS[0]},
            headers=httpx.Headers({"x-feilun-tenant": name}, encoding="utf-8"),
        )  # fmt: skip
        assert kiosk.house.store.get(Call, said.json()["id"]).tenant == name
    body = {"model": f"task/{KIOSK.task}", "messages": [{"role": "user", "content": TEXTS[0]}]}
    for model in (body["model"], "mock-small"):
        said = kiosk.http.post(
            "/v1/chat/completions", json={**body, "model": model},
            headers={"x-feilun-tenant": "acme"},
        )  # fmt: skip
        kept = kiosk.house.store.get(Call, said.headers["x-feilun-call"])
        assert (kept.tenant, kept.task) == ("acme", RAW if model == "mock-small" else KIOSK.task)


@pytest.mark.parametrize("name", [b"a" * 201, b"", b"\xff\xfe"])
def test_a_tenant_that_is_no_name_is_a_bad_request(kiosk: Kiosk, name: bytes) -> None:
    said = kiosk.http.post(
        PATH + "/calls", json={"input": TEXTS[0]}, headers=[(b"x-feilun-tenant", name)]
    )
    assert said.status_code == 400
    assert "tenant" in said.json()["error"]["message"]


# The one beside is asked later


class Waiting(FakeStudent):
    """A student that thinks until it is let go."""

    def __init__(self) -> None:
        super().__init__({}, ["fruit", 0.9])
        self.go = threading.Event()
        self.asked: list[int] = []

    def predict_many(self, inputs: Sequence[Json]) -> list[Prediction]:
        self.asked.append(len(inputs))
        assert self.go.wait(SLOW)
        return super().predict_many(inputs)


def shadowed(student: FakeStudent) -> Answerer:
    answerer = Answerer(KIOSK, None, FakeClock(), lambda _: FakeStudent({}, ["drinks", 0.9]))
    answerer.point(
        Release(id="move-1", task=KIOSK.task, at=NOON, variant="old", threshold=0.5,
                by="certificate", certificate="proof", reason="-")
    )  # fmt: skip
    answerer.try_out(
        Trial(id="t", task=KIOSK.task, at=NOON, trial="t", variant="new", threshold=0.5,
              how="shadow", reason="-"), student,
    )  # fmt: skip
    return answerer


def test_an_answer_that_is_not_durable_does_not_wait_for_the_shadow() -> None:
    student, asides, kept = Waiting(), Asides(), list[Record]()
    answerer = shadowed(student)
    calls = [a_call(f"{n}", trial="t") for n in range(20)]

    async def answered() -> None:
        capture = Capture(lambda *records: kept.extend(records), CaptureConfig(mode="async"))
        for call in calls:
            asides.await_word(call)
        for call in calls:
            done = capture.add("async", lambda call=call: [asides.take(answerer, call)], 1)  # type: ignore[misc]
            assert done is None  # nothing to wait for: the answer leaves now
        assert kept == []
        student.go.set()
        await asyncio.to_thread(capture.close)

    asyncio.run(answered())
    assert [call.id for call in kept] == [call.id for call in calls]
    assert all(isinstance(c, Call) and c.aside and c.aside.variant == "new" for c in kept)
    assert student.asked == [20]  # together, not one by one


def test_a_call_that_nobody_announced_is_asked_alone_and_what_is_given_up_is_forgotten() -> None:
    student = Waiting()
    student.go.set()
    asides, answerer = Asides(), shadowed(student)
    told = asides.take(answerer, a_call("1", trial="t"))
    assert told.aside is not None
    for n in range(25_000):  # announced, and lost by a full queue
        asides.await_word(a_call_cheaply(told, f"lost-{n}"))
    assert asides.take(answerer, a_call("2", trial="t")).aside is not None
    assert asides.take(answerer, a_call("3", trial="t")).aside is not None
    assert max(student.asked) <= 10_001


def a_call_cheaply(like: Call, id: str) -> Call:
    return like.model_copy(update={"id": id, "aside": None})


def test_what_is_said_beside_is_redacted_as_the_answer_is() -> None:
    aside = Aside(variant="new", output="write to a@b.cd", confidence=1, sure=True, seconds=0)
    call = a_call("1", input="I am a@b.cd", output="ok a@b.cd", aside=aside)
    kept = keep_call(call, "redacted")
    assert (kept.input, kept.output, kept.kept) == ("I am [email]", "ok [email]", "redacted")
    assert kept.aside is not None
    assert kept.aside.output == "write to [email]"
    assert keep_call(call, "whole") is call
