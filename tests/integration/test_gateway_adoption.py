"""Raw traffic becomes a task, and its client never notices: discovered, adopted, learnt, served."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import openai
import pytest
from gateway_server import Running, running

from feilun.house import House
from feilun.records import RAW, Call, Release
from feilun.testing.upstream import Exchange, chat, chat_stream
from feilun.wiring import open_house

SYSTEM = "You sort the mail of a kiosk. Answer with one word: order, complaint or praise."
WORDS = {
    "order": ["please send {} boxes of tea", "we need {} newspapers", "deliver {} rolls"],
    "complaint": ["the {} rolls were stale", "box {} arrived broken", "{} papers are missing"],
    "praise": ["thank you for the {} roses", "lovely service, {} stars", "best {} buns in town"],
}
SLOW = 15.0  # seconds for another process to follow; it takes one


def line(n: int) -> tuple[str, str]:
    label = list(WORDS)[n % 3]
    return WORDS[label][n // 3 % 3].format(n + 2), label


RIGHT = dict(line(n) for n in range(400))


async def sorts(exchange: Exchange) -> None:
    said = RIGHT.get(exchange.request.json["messages"][-1]["content"], "order")
    streams = exchange.request.json.get("stream")
    await (chat_stream([said]) if streams else chat(said))(exchange)


@dataclass
class Post:
    """A client of the kiosk, and the house of the same store in this process."""

    up: Running
    client: openai.OpenAI
    house: House

    def ask(self, text: str, *, stream: bool = False) -> tuple[str, dict[str, str]]:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        raw = self.client.chat.completions.with_raw_response
        if stream:
            said = raw.create(model="mock-small", messages=messages, stream=True)  # type: ignore[call-overload]
            parts = [c.choices[0].delta.content or "" for c in said.parse() if c.choices]
            return "".join(parts), dict(said.headers)
        said = raw.create(model="mock-small", messages=messages)  # type: ignore[call-overload]
        return said.parse().choices[0].message.content, dict(said.headers)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    with running(tmp_path_factory.mktemp("post")) as up:
        up.upstream.behave(sorts)
        client = openai.OpenAI(base_url=up.url + "/v1", api_key=up.key, max_retries=0)
        house = open_house(up.store)
        try:
            yield Post(up, client, house)
        finally:
            house.close()
            client.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SLOW
    while not holds():
        assert time.monotonic() < end, "the gateway did not follow"


def test_a_task_grows_out_of_raw_traffic_and_a_student_takes_it_over(post: Post) -> None:
    # Traffic that names a model is kept as it came.
    for n in range(60):
        said, headers = post.ask(line(n)[0])
        assert (said, headers["x-feilun-task"]) == (line(n)[1], RAW)
    (proposal,) = post.house.discovery.proposals()
    assert proposal.adoptable, proposal.why_not
    assert set(proposal.labels) == set(WORDS)

    # Somebody adopts it: the same requests are its calls from then on.
    task = post.house.discovery.adopt(proposal.id, "kiosk.mail", 0.3, 0.9)
    until(lambda: post.ask(line(0)[0])[1]["x-feilun-task"] == task.task)
    for n in range(60, 200):
        said, headers = post.ask(line(n)[0], stream=n % 2 == 0)
        assert (said, headers["x-feilun-variant"]) == (line(n)[1], "mock-small")
    for call in list(post.house.auditing.to_audit(task.task)):
        post.house.auditing.audit(call, RIGHT[call.input])

    # One turn, and the client's next answer comes from a student, in the same shape.
    turned = post.house.turn(task.task)
    assert isinstance(turned.release, Release), turned.verdict
    before = len(post.up.upstream.requests)
    until(lambda: post.ask(line(3)[0])[1]["x-feilun-variant"] == turned.release.variant)
    asked = len(post.up.upstream.requests)
    for stream in (False, True):
        said, headers = post.ask(line(5)[0], stream=stream)
        assert said == line(5)[1]
        assert headers["x-feilun-certificate"] == turned.release.certificate
        assert float(headers["x-feilun-confidence"]) >= (turned.release.threshold or 1)
    assert len(post.up.upstream.requests) == asked >= before
    kept = post.house.store.get(Call, headers["x-feilun-call"])
    assert (kept.by, kept.input, kept.output) == ("student", line(5)[0], line(5)[1])

    # What the student is not sure of goes to the model that the client named.
    said, headers = post.ask("qwertz 7 %% zzz")
    assert headers["x-feilun-variant"] == "mock-small"

    # And a person takes it back, in another process.
    post.house.rollback(task.task, "a holiday")
    until(lambda: post.ask(line(3)[0])[1]["x-feilun-variant"] == "mock-small")
