"""kill -9 under load: every answer whose last byte was seen is in the store, exactly once."""

import random
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import monotonic

import httpx
from gateway_server import Running, running

from feilun.records import Call
from feilun.store import open_store
from feilun.testing.upstream import Upstream

_CLIENTS = 8
_ANSWERS = (8, 60)  # before the blow, drawn anew each round: a slow machine sees as many
_AIM = 0.05  # seconds at most from then to the blow, which meets the calls at any step


def test_25_kills_lose_no_answered_call(tmp_path: Path) -> None:
    _kill_and_count(tmp_path, 25)


def _kill_and_count(folder: Path, rounds: int) -> None:
    chance = random.Random(25)  # noqa: S311 - of moments, no secret
    acked: list[str] = []
    restarts: list[float] = []
    key = ""
    with Upstream() as upstream:
        for _ in range(rounds):
            begun = monotonic()
            with running(folder, upstream=upstream) as server:
                restarts.append(monotonic() - begun)
                key = server.key or key  # shown once, by the first
                acked += _load_until_killed(
                    server, key, chance.randint(*_ANSWERS), chance.uniform(0, _AIM)
                )
    with closing(open_store(folder / "store")) as store:
        kept = Counter(call.id for call in store.read(Call))
    lost = [id for id in acked if kept[id] == 0]
    print(
        f"{rounds} kills: {len(acked)} answered, {len(lost)} lost, "
        f"{sum(kept.values())} kept, start at most {max(restarts):.2f} s"
    )
    assert len(acked) > rounds * _CLIENTS
    assert len(set(acked)) == len(acked)
    assert not lost
    assert max(kept.values()) == 1


def _load_until_killed(server: Running, key: str, answers: int, aim: float) -> list[str]:
    """The ids of the calls whose last byte came before the process was shot."""
    acked: list[str] = []
    enough = threading.Event()
    clients = [
        threading.Thread(
            target=_ask_on, args=(server.url, key, number % 2 == 0, acked, answers, enough)
        )
        for number in range(_CLIENTS)
    ]
    for each in clients:
        each.start()
    enough.wait()
    blow = threading.Timer(aim, server.process.kill)
    blow.start()
    for each in (blow, *clients):
        each.join()
    server.process.wait()
    return acked


def _ask_on(
    url: str, key: str, stream: bool, acked: list[str], answers: int, enough: threading.Event
) -> None:
    """Ask until nobody answers, JSON and streams in turn; say when all have enough answers."""
    headers = {"authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
            while True:
                stream = not stream
                body = {"model": "mock-small", "stream": stream, "messages": []}
                try:
                    answer = client.post("/v1/chat/completions", json=body)
                except httpx.TransportError:
                    return
                assert answer.status_code == 200, answer.text
                acked.append(answer.headers["x-feilun-call"])
                if len(acked) >= answers:
                    enough.set()
    finally:
        enough.set()  # a client that fails must not leave the others waiting for its answers
