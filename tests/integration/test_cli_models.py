"""`feilun models` as people and scripts meet it."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feilun.cli.models import models_app
from feilun.cli.options import DONE, NO
from feilun.errors import InputError
from feilun.records import Json
from feilun.testing.tiny_gguf import tiny_gguf

GGUF = tiny_gguf({"tiny.block_count": 2}, weights=b"\x07" * 5000)
DIGEST = sha256(GGUF).hexdigest()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of its own, and a model's file beside it."""
    monkeypatch.setenv("FEILUN_MODELS", str(tmp_path / "models"))
    (tmp_path / "mine.gguf").write_bytes(GGUF)
    return tmp_path


def feilun_models(*words: str | Path) -> Result:
    return CliRunner().invoke(models_app, [str(word) for word in words])


def shown(*words: str | Path) -> Json:
    said = feilun_models(*words, "--json")
    assert said.exit_code == DONE, said.output
    return json.loads(said.stdout)


def entry(name: str) -> Json:
    return next(each for each in shown("list")["models"] if each["name"] == name)


def test_models_without_a_word_lists_them(here: Path) -> None:
    assert "embedded" in feilun_models().stdout
    assert shown() == shown("list")
    assert entry("smollm2-135m-instruct-q4_1")["here"] is False
    assert shown()["folder"] == str(here / "models")


def test_a_file_is_added_pulled_verified_and_removed(here: Path) -> None:
    assert shown("add", "mine", "--file", here / "mine.gguf")["sha256"] == DIGEST
    assert "Fetch it" not in feilun_models("list").stdout
    pulled = shown("pull", "mine")
    assert Path(pulled["path"]).read_bytes() == GGUF
    assert shown("verify")["models"] == [{"name": "mine", "problem": None}]
    assert shown("remove", "mine") == {
        "schema": "feilun.model_removed/1",
        "name": "mine",
        "freed": len(GGUF),
        "forgotten": True,
    }
    assert [each["name"] for each in shown()["models"] if each["name"] == "mine"] == []


def test_a_removed_name_leaves_the_file_to_another_name(here: Path) -> None:
    for name in ("one", "two"):
        shown("add", name, "--file", here / "mine.gguf")
    shown("pull", "one")
    assert entry("two")["here"]
    assert shown("remove", "one")["freed"] == 0
    assert entry("two")["here"]


def test_a_wrong_file_is_refused_for_a_model_of_the_catalogue(here: Path) -> None:
    said = feilun_models("pull", "smollm2", "--file", here / "mine.gguf")
    assert "the model has 98,362,432" in str(said.exception)


def test_a_changed_file_is_found_and_quarantined(here: Path) -> None:
    shown("add", "mine", "--file", here / "mine.gguf")
    path = Path(shown("pull", "mine")["path"])
    path.write_bytes(GGUF[:-1] + b"\x08")
    said = feilun_models("verify", "mine")
    assert said.exit_code == NO
    assert "its bytes have changed" in said.stdout
    assert entry("mine")["quarantined"]
    assert "quarantine" in feilun_models("list").stdout
    assert feilun_models("verify", "mine").exit_code == NO  # it is not here


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["add", "x"], "--url URL or --file PATH"),
        (["add", "x", "--url", "https://files.test/x"], "Give --sha256"),
        (["add", "x", "--url", "file:///etc/passwd", "--sha256", DIGEST], "https"),
        (["add", "../x", "--url", "https://files.test/x", "--sha256", DIGEST], "name"),
        (["add", "x", "--url", "https://files.test/x", "--sha256", "12"], "sha256"),
        (["add", "x", "--file", "/no/such.gguf"], "cannot be added"),
        (["add", "x", "--file", os.devnull], "no GGUF file"),
        (["pull", "nobody"], "No model is called 'nobody'"),
        (["remove", "nobody"], "No model is called 'nobody'"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_mistake_is_told_in_a_sentence(words: list[str], reason: str) -> None:
    said = feilun_models(*words)
    assert isinstance(said.exception, InputError)
    assert reason in str(said.exception)


def test_a_sha256_that_is_not_the_files_is_refused(here: Path) -> None:
    said = feilun_models("add", "x", "--file", here / "mine.gguf", "--sha256", "ab" * 32)
    assert "not the one that you gave" in str(said.exception)


@pytest.mark.parametrize("command", ["list", "pull", "verify", "remove", "add"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert "Example" in feilun_models(command, "--help").stdout
