"""`feilun engines`: what it writes, what it asks, and what it never shows."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feilun.cli.engines import engines_app
from feilun.cli.options import DONE, NO
from feilun.errors import FeilunError, InputError
from feilun.gateway.config import read_config
from feilun.testing import upstream
from feilun.testing.upstream import Upstream

KEY = "sk-very-secret"
URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feilun.toml"


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


def run(file: Path, *words: str, typed: str | None = None) -> Result:
    """Run a command; an error of ours rises, as it does to `main`."""
    found = CliRunner().invoke(engines_app, [*words, "--config", str(file)], input=typed)
    if isinstance(found.exception, FeilunError):
        raise found.exception
    return found


def test_an_engine_is_added_listed_and_removed(file: Path) -> None:
    added = run(file, "add", "cloud", URL, "--key-env", "CLOUD_KEY", "--model", "a", "--model", "b")
    assert added.exit_code == DONE
    engine = read_config(file).engines["cloud"]
    assert (engine.url, engine.key_env, engine.models) == (URL, "CLOUD_KEY", ("a", "b"))
    listed = json.loads(run(file, "list", "--json").stdout)
    assert listed["engines"] == [
        {
            "name": "cloud",
            "url": URL,
            "dialect": "openai",
            "key": "$CLOUD_KEY",
            "models": ["a", "b"],
        }
    ]
    assert "cloud" in run(file, "list").stdout
    run(file, "remove", "cloud")
    assert read_config(file).engines == {}


def test_what_a_person_wrote_in_the_file_stays(file: Path) -> None:
    written = (
        "# ours, with care\nport = 9000  # the old one\n\n[engines.old]\nurl = 'http://a/v1'\n\n"
        "[limits]\nbody_bytes = 5 # small\n"
    )
    file.write_text(written, encoding="utf-8")
    file.chmod(0o640)
    run(file, "add", "new.er", URL, "--dialect", "anthropic")
    config = read_config(file)
    assert set(config.engines) == {"old", "new.er"}
    assert config.engines["new.er"].dialect == "anthropic"
    assert config.limits.body_bytes == 5
    for line in written.splitlines():
        assert line in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    run(file, "remove", "new.er")
    assert file.read_text(encoding="utf-8").split() == written.split()


def test_a_key_that_is_piped_in_goes_into_a_file_of_its_own_and_nowhere_else(file: Path) -> None:
    found = run(file, "add", "cloud", URL, "--key", typed=KEY + "\n")
    kept = file.parent / "feilun-cloud.key"
    assert kept.read_text(encoding="utf-8") == KEY + "\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    secret = read_config(file).engines["cloud"].secret()
    assert secret is not None
    assert secret.get_secret_value() == KEY
    shown = found.output + file.read_text(encoding="utf-8") + run(file, "list", "--json").output
    assert KEY not in shown
    run(file, "remove", "cloud")
    assert list(file.parent.iterdir()) == [file]


def test_a_key_file_of_a_persons_own_is_not_removed(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.key"
    own.write_text(KEY, encoding="utf-8")
    run(file, "add", "cloud", URL, "--key-file", str(own))
    run(file, "remove", "cloud")
    assert own.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("../x", URL), "An engine's name is letters"),
        (("x", "ftp://a/v1"), "https://host:port/v1"),
        (("x", "http://user:pass@a/v1"), "without a key in it"),
        (("x", "http://a:99999/v1"), "cannot be read"),
        (("x", URL, "--key-env", "A", "--key"), "one of --key-env, --key-file and --key"),
        (("old", URL), "has an engine 'old' already"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    file: Path, words: tuple[str, ...], message: str
) -> None:
    file.write_text("[engines.old]\nurl = 'http://a/v1'\n", encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(InputError, match=message):
        run(file, "add", *words)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("typed", ["", "\n", "two\tparts\n", "钥匙\n"])
def test_what_is_no_key_is_refused_before_anything_is_written(file: Path, typed: str) -> None:
    with pytest.raises(InputError, match="That is no key"):
        run(file, "add", "cloud", URL, "--key", typed=typed)
    assert not file.exists()


def test_a_broken_file_is_named_and_left_alone(file: Path) -> None:
    file.write_text("port = ", encoding="utf-8")
    with pytest.raises(InputError, match="is not TOML"):
        run(file, "add", "cloud", URL)
    assert file.read_text(encoding="utf-8") == "port = "


def test_removing_what_is_not_there_names_what_is(file: Path) -> None:
    run(file, "add", "cloud", URL)
    with pytest.raises(InputError, match=r"has no engine 'clod'. Engines: cloud\."):
        run(file, "remove", "clod")


def test_a_good_server_is_asked_for_its_models_and_an_answer(file: Path, up: Upstream) -> None:
    run(file, "add", "cloud", up.url)
    found = run(file, "check", "--json")
    assert found.exit_code == DONE
    checked = json.loads(found.stdout)["engines"][0]
    assert checked["models"] == ["mock-small", "mock-large"]
    assert checked["asked"] == "mock-small"
    assert checked["seconds"] >= 0
    assert "answers cloud: mock-small in" in run(file, "check", "cloud").stdout


def test_a_server_that_fails_says_what_is_wrong_and_its_neighbour_is_asked_all_the_same(
    file: Path, up: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", KEY)
    monkeypatch.delenv("NO_KEY", raising=False)
    run(file, "add", "locked", up.url, "--key-env", "CLOUD_KEY")
    run(file, "add", "keyless", up.url, "--key-env", "NO_KEY")
    run(file, "add", "good", up.url)
    up.script = [upstream.answer({"error": {"message": f"Bad key {KEY}"}}, 401)]
    found = run(file, "check", "--json")
    assert found.exit_code == NO
    locked, keyless, good = json.loads(found.stdout)["engines"]
    assert "401: Bad key ***" in locked["problem"]
    assert "the environment has no NO_KEY" in keyless["problem"]
    assert good["problem"] is None
    assert KEY not in found.output


def test_a_url_that_is_no_model_server_says_what_to_check(file: Path, up: Upstream) -> None:
    run(file, "add", "page", up.origin, "--model", "m")
    up.script = [upstream.wrong_type()]
    found = run(file, "check", "page")
    assert found.exit_code == NO
    assert "most end in /v1" in " ".join(found.stdout.split())
