"""The embedded engine: its child is begun, watched, restarted and ended; and the real one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from feilun.errors import BrokenReply, EngineError, Refused, Unreachable
from feilun.models.catalogue import Catalogue, Local, Model, models_folder, read_catalogue
from feilun.models.embedded import Embedded, Running, State
from feilun.models.folder import Folder
from feilun.ports import Engine
from feilun.records import Json
from feilun.testing.contracts_engine import EngineContract
from feilun.testing.embedded_child import CRASH, Mode, command
from feilun.testing.kiosk import KIOSK
from feilun.testing.tiny_gguf import tiny_gguf

KNOWN = {"green tea": "drinks", "报纸": "papers", "": "fruit"}
GGUF = tiny_gguf(
    {
        "tiny.block_count": 2,
        "tiny.embedding_length": 64,
        "tiny.attention.head_count": 4,
        "tiny.attention.head_count_kv": 2,
    }
)
NOW = 1000.0


class Hands:
    """A clock in the hands of a test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Embedded]


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(GGUF)
    source = Local(path=file)
    tiny = Model(name="tiny", sha256=sha256(GGUF).hexdigest(), size=len(GGUF), sources=(source,))
    return Catalogue([tiny])


@pytest.fixture
def make(tmp_path: Path, catalogue: Catalogue, hands: Hands) -> Iterator[Make]:
    """Make engines with a child that runs no model; all are stopped in the end."""
    made: list[Embedded] = []

    def one(mode: Mode = "serve", memory: Callable[[], int | None] = lambda: None) -> Embedded:
        engine = Embedded(
            catalogue,
            "tiny",
            folder=tmp_path / "models",
            command=command(KNOWN, mode),
            clock=hands,
            memory=memory,
        )
        made.append(engine)
        return engine

    yield one
    for engine in made:
        engine.close()


def alive(pid: int) -> bool:
    """Whether a process is there, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestEmbedded(EngineContract):
    @pytest.fixture
    def engine(self, make: Make) -> Engine:
        return make()

    @pytest.fixture
    def known(self) -> Mapping[str, Json]:
        return KNOWN

    @pytest.fixture
    def unanswerable(self) -> Json:
        return "a line that nobody knows"


def test_the_first_call_fetches_the_model_and_starts_its_child(make: Make, tmp_path: Path) -> None:
    engine = make()
    assert engine.address is None
    assert engine.answer(KIOSK, "green tea").output == "drinks"
    assert engine.address
    assert engine.state is State.UP
    assert (tmp_path / "models" / engine.model.sha256).read_bytes() == GGUF


def test_the_server_asks_for_a_key_that_is_new_with_every_start(make: Make) -> None:
    engine = make()
    first = engine.start()
    body = {"messages": [{"role": "user", "content": "green tea"}]}
    url = f"http://{first.address.host}:{first.address.port}{first.address.base}/chat/completions"
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, json=body).status_code == 401
        bearer = {"authorization": f"Bearer {first.key.get_secret_value()}"}
        assert client.post(url, json=body, headers=bearer).status_code == 200
    engine.stop()
    second = engine.start()
    assert second.key != first.key
    assert first.key.get_secret_value() not in repr(first)


def test_no_key_is_seen_in_the_arguments_of_the_child(make: Make) -> None:
    running = make().start()
    arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes()
    environment = Path(f"/proc/{running.pid}/environ").read_bytes()
    assert running.key.get_secret_value().encode() not in arguments + environment
    assert b"OMP_WAIT_POLICY=passive" in environment


def test_the_child_sees_no_secret_of_its_parents_environment(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-secret")
    running = make().start()
    assert b"sk-secret" not in Path(f"/proc/{running.pid}/environ").read_bytes()


def test_many_who_start_it_at_once_get_one_child(make: Make) -> None:
    engine, got = make(), list[Running]()
    threads = [threading.Thread(target=lambda: got.append(engine.start())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({running.pid for running in got}) == 1
    assert len(got) == 8


def test_a_killed_child_is_started_again_by_the_next_call(make: Make) -> None:
    engine = make()
    first = engine.start()
    os.kill(first.pid, signal.SIGKILL)
    assert engine.answer(KIOSK, "green tea").output == "drinks"
    second = engine.running
    assert second
    assert second.pid != first.pid
    assert not alive(first.pid)


def test_a_call_that_kills_its_child_is_asked_once_more_and_then_fails_alone(
    make: Make, hands: Hands
) -> None:
    engine = make()
    with pytest.raises(BrokenReply, match="died twice"):
        engine.answer(KIOSK, CRASH)
    hands.now += 61
    assert engine.answer(KIOSK, "报纸").output == "papers"


def test_a_child_that_keeps_dying_is_started_less_and_less_often(make: Make, hands: Hands) -> None:
    engine, starts = make("fail"), list[int]()
    for second in range(190):
        hands.now = NOW + second
        with pytest.raises(Unreachable, match="cannot allocate the weights") as refused:
            engine.start()
        if "could not be loaded" in str(refused.value):
            starts.append(second)
        else:
            assert "It is started again in" in str(refused.value)
    assert starts == [0, 1, 2, 4, 8, 16, 32, 64, 124, 184]


def test_a_child_that_lived_long_is_started_again_at_once(make: Make, hands: Hands) -> None:
    engine = make()
    for _ in range(3):
        running = engine.start()
        hands.now += 61
        os.kill(running.pid, signal.SIGKILL)
        assert engine.answer(KIOSK, "green tea").output == "drinks"


def test_a_child_that_cannot_load_its_model_says_why_and_leaves_nothing(make: Make) -> None:
    engine = make("fail")
    with pytest.raises(Unreachable, match="exit code 1; it said: ggml: cannot allocate"):
        engine.answer(KIOSK, "green tea")
    assert engine.running is None
    assert engine.state is State.DOWN


def test_a_child_that_says_something_else_than_a_port_is_ended(make: Make) -> None:
    with pytest.raises(Unreachable, match="instead of its port"):
        make("babble").start()


def test_a_program_that_is_not_there_is_an_error_of_the_engine(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    engine = Embedded(catalogue, "tiny", folder=tmp_path / "models", command=("/no/such/program",))
    with pytest.raises(EngineError, match="/no/such/program cannot be run"):
        engine.start()
    engine.close()


def test_an_idle_child_is_stopped_and_the_next_call_starts_it(make: Make, hands: Hands) -> None:
    engine = make()
    first = engine.start()
    hands.now += 899
    engine.rest()
    assert engine.running == first
    hands.now += 1
    engine.rest()
    assert engine.running is None
    assert not alive(first.pid)
    assert engine.answer(KIOSK, "green tea").output == "drinks"


def test_a_busy_child_is_never_stopped_for_idleness(make: Make, hands: Hands) -> None:
    engine = make()
    with engine.busy():
        running = engine.start()
        hands.now += 1e6
        engine.rest()
        assert engine.running == running
    engine.rest()
    assert engine.running == running  # the call has ended a moment ago
    hands.now += 900
    engine.rest()
    assert engine.running is None


def test_a_closed_engine_starts_nothing_again(make: Make) -> None:
    engine = make()
    running = engine.start()
    engine.close()
    assert not alive(running.pid)
    with pytest.raises(Unreachable, match="was stopped"):
        engine.answer(KIOSK, "green tea")


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(make: Make) -> None:
    engine = make(memory=lambda: 100_000_000)
    with pytest.raises(Unreachable, match=r"438 MB of memory and 100 MB are free: 338 MB"):
        engine.start()
    assert engine.state is State.DOWN


def test_a_file_that_is_no_gguf_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(b"<html>Please log in")
    digest = sha256(file.read_bytes()).hexdigest()
    page = Model(name="page", sha256=digest, sources=(Local(path=file),))
    engine = Embedded(Catalogue([page]), "page", folder=tmp_path / "m", command=command(KNOWN))
    with pytest.raises(EngineError, match="no GGUF file"):
        engine.start()
    engine.close()


def test_stopping_kills_a_child_that_hears_no_request_to_end(make: Make) -> None:
    engine = make("deaf")
    running = engine.start()
    engine.stop(grace=0.1)
    assert not alive(running.pid)
    assert engine.address is None
    engine.stop()  # twice is allowed


def test_stopping_ends_a_load_that_is_at_work(make: Make) -> None:
    begins = threading.Event()
    engine = make("silent", memory=begins.set)
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(engine.start)
        assert begins.wait(10)
        engine.stop()
        assert isinstance(starting.exception(10), Unreachable)
    assert engine.running is None


def test_stopping_ends_a_fetch_and_keeps_what_came(make: Make, tmp_path: Path) -> None:
    engine = make()
    with pytest.raises(Unreachable, match="was stopped"):
        engine.start(lambda _done, _total: engine.stop())
    (part,) = (tmp_path / "models").glob("*.part")
    assert part.read_bytes() == GGUF
    assert engine.start().pid


def test_a_child_ends_when_its_parent_is_killed(catalogue: Catalogue, tmp_path: Path) -> None:
    script = """
import json, sys, time
from pathlib import Path
from feilun.models.catalogue import Catalogue, Model
from feilun.models.embedded import Embedded
model, folder, command = json.loads(sys.stdin.readline())
catalogue = Catalogue([Model.model_validate(model)])
engine = Embedded(catalogue, "tiny", folder=Path(folder), command=command)
print(engine.start().address.port, flush=True)
time.sleep(600)
"""
    (model,) = catalogue
    told = [model.model_dump(mode="json"), str(tmp_path / "models"), command(KNOWN)]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(json.dumps(told).encode() + b"\n")
        parent.stdin.flush()
        port = int(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as line:
            parent.kill()
            line.settimeout(10)
            assert line.recv(1) == b""  # the child has gone, and its end of the line with it


def test_a_refusal_of_the_server_is_told_without_its_words(make: Make) -> None:
    with pytest.raises(Refused, match="larger context") as caught:
        make().answer(KIOSK, "my secret diary")
    assert "diary" not in str(caught.value)
    assert caught.value.status == 400


# The real one

MODELS = Path(os.environ.get("FEILUN_TEST_MODELS") or models_folder())


@pytest.fixture(scope="module")
def teacher() -> Iterator[Embedded]:
    """The embedded teacher itself, from a folder that has it."""
    pytest.importorskip("xllamacpp", reason="pip install 'feilun[embedded]'")
    engine = Embedded(read_catalogue(MODELS), folder=MODELS)
    if not Folder(MODELS).whole(engine.model):
        pytest.skip(f"no embedded teacher in {MODELS}: run `feilun models pull embedded`")
    yield engine
    engine.close()


@pytest.mark.slow
class TestTheEmbeddedTeacher(EngineContract):
    @pytest.fixture
    def engine(self, teacher: Embedded) -> Engine:
        return teacher

    @pytest.fixture
    def known(self) -> Mapping[str, Json]:
        return {"green tea": "drinks", "报纸": "papers"}

    @pytest.fixture
    def unanswerable(self) -> Json:
        return "tea " * 5000  # more than its context


@pytest.mark.slow
def test_the_embedded_teacher_comes_back_after_kill_9(teacher: Embedded) -> None:
    running = teacher.start()
    os.kill(running.pid, signal.SIGKILL)
    assert teacher.answer(KIOSK, "green tea").output == "drinks"
    assert not alive(running.pid)
