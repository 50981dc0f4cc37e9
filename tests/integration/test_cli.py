"""The command line as people and scripts meet it: words, JSON, exit codes, no traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kiosk_log import Stand, moved, opened
from typer.main import get_command

from feilun import cli
from feilun.cli.options import DONE, NO, STORE, UNUSABLE
from feilun.records import Json
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK


def _within(group: Json, *above: str) -> Iterator[str]:
    """The commands of a group and of the groups in it, as they are typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _within(command, *above, name)
        else:
            yield " ".join([*above, name])


COMMANDS = sorted(_within(get_command(cli.app)))
TOML = """
name = "kiosk.shelf"
instructions = "Name the shelf."
labels = ["drinks", "fruit"]
red_line = { max_loss = 0.1 }
"""


class Spoken:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def json(self) -> Json:
        return json.loads(self.out)


Run = Callable[..., Spoken]


@pytest.fixture
def feilun(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, through the same `main` as on a terminal."""

    def run(*words: str | Path) -> Spoken:
        monkeypatch.setattr(sys, "argv", ["feilun", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        code = ended.value.code
        return Spoken(code if isinstance(code, int) else 0, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def stand() -> Stand:
    """A stand with a refusal, a certificate and a release."""
    return opened()


@pytest.fixture(scope="module")
def lived(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that stand, for commands that read."""
    return kept(stand, tmp_path_factory.mktemp("lived"))


def kept(stand: Stand, folder: Path) -> Path:
    with closing(open_store(folder)) as store:
        moved(stand, store)
    return folder


def served(customers: int, folder: Path) -> Path:
    """The folder of a stand that has not turned yet."""
    stand = Stand()
    stand.serve(customers)
    return kept(stand, folder)


# Help


def test_the_help_is_a_page_that_names_every_command_and_where_to_begin(feilun: Run) -> None:
    said = feilun("--help")
    assert said.code == DONE
    assert "red line" in said.out
    assert "First time? Run feilun demo" in said.out
    for command in COMMANDS:
        assert f" {command.partition(' ')[0]} " in said.out


def test_without_a_command_the_help_is_shown(feilun: Run) -> None:
    said = feilun()
    assert "Usage" in said.out + said.err
    assert said.code == UNUSABLE


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example_and_offers_json(feilun: Run, command: str) -> None:
    said = feilun(*command.split(), "--help")
    assert said.code == DONE
    assert f"Example: feilun {command}" in " ".join(said.out.split())
    assert "--json" in said.out


# Each command, on a store that has lived


def test_status_shows_who_answers_how_well_and_at_what_cost(feilun: Run, lived: Path) -> None:
    said = feilun("status", "--store", lived, "--json")
    (row,) = said.json()["tasks"]
    assert said.json()["schema"] == "feilun.status/1"
    assert (row["task"], row["calls"]) == (KIOSK.task, 930)
    assert row["variant"] != "teacher"
    assert row["accuracy"]["low"] < row["accuracy"]["mean"] < row["accuracy"]["high"]
    assert row["verdicts"] == ["refusal", "certificate"]
    table = feilun("status", "--store", lived)
    assert table.code == DONE
    assert KIOSK.task in table.out


def test_verify_agrees_with_an_untouched_log(feilun: Run, lived: Path) -> None:
    said = feilun("verify", "--store", lived, "--json")
    assert said.code == DONE
    assert said.json()["checked"] >= 3
    assert said.json()["failed"] == []
    assert "checks agree with the log" in feilun("verify", "--store", lived).out


def test_a_turn_that_is_refused_says_what_is_missing_and_ends_with_1(
    feilun: Run, tmp_path: Path
) -> None:
    books = served(60, tmp_path)
    said = feilun("turn", KIOSK.task, "--store", books, "--json")
    assert said.code == NO
    assert said.json()["verdict"] == "refusal"
    assert said.json()["release"] is None
    assert said.json()["refusal"]["delta"] == 0
    words = feilun("turn", KIOSK.task, "--store", books)
    assert words.code == NO
    assert "Refused:" in words.out
    assert "No look was spent." in words.out


def test_a_turn_that_certifies_releases_and_ends_with_0(feilun: Run, tmp_path: Path) -> None:
    said = feilun("turn", KIOSK.task, "--store", served(1300, tmp_path))
    assert said.code == DONE
    assert "Certified: loss at most 5.0%" in said.out


def test_a_person_rolls_back_and_releases_by_hand(
    feilun: Run, stand: Stand, tmp_path: Path
) -> None:
    folder = kept(stand, tmp_path)
    certificate = feilun("status", "--store", folder, "--json").json()["tasks"][0]["certificate"]
    back = feilun("rollback", KIOSK.task, "--reason", "odd answers", "--store", folder, "--json")
    assert (back.code, back.json()["variant"], back.json()["reason"]) == (DONE, None, "odd answers")
    again = feilun("rollback", KIOSK.task, "--reason", "odd answers", "--store", folder)
    assert again.code == UNUSABLE
    assert "ReleaseError: Task kiosk.shelf: the teacher answers already" in again.err
    moved = feilun("release", KIOSK.task, certificate, "--reason", "fixed", "--store", folder)
    assert moved.code == DONE
    assert "is answered by" in moved.out


def test_declare_makes_a_store_and_says_what_it_declared(feilun: Run, tmp_path: Path) -> None:
    file = tmp_path / "shelf.toml"
    file.write_text(TOML)
    said = feilun("declare", file, "--store", tmp_path / "new", "--json")
    assert (said.code, said.json()["task"]) == (DONE, "kiosk.shelf")
    rows = feilun("status", "--store", tmp_path / "new", "--json").json()["tasks"]
    assert [row["task"] for row in rows] == ["kiosk.shelf"]
    assert rows[0]["accuracy"] is None


def test_the_store_may_be_named_by_the_environment(
    feilun: Run, lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEILUN_STORE", str(lived))
    assert feilun("status").code == DONE


# Mistakes


@pytest.mark.parametrize("command", [["status"], ["verify"], ["turn", "t"]], ids=lambda c: c[0])
def test_a_missing_store_is_named_and_not_made(
    feilun: Run, tmp_path: Path, command: list[str]
) -> None:
    said = feilun(*command, "--store", tmp_path / "nowhere")
    assert said.code == UNUSABLE
    assert "There is no store in" in said.err
    assert "feilun demo" in said.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["turn", "kiosk.self"],
        ["rollback", "kiosk.self", "--reason", "x"],
    ],
    ids=lambda command: command[0],
)
def test_an_unknown_task_is_named_with_those_that_there_are(
    feilun: Run, lived: Path, command: list[str]
) -> None:
    said = feilun(*command, "--store", lived)
    assert said.code == UNUSABLE
    assert "kiosk.self" in said.err
    assert "Tasks: kiosk.shelf" in said.err


def test_an_unknown_certificate_is_named(feilun: Run, lived: Path) -> None:
    said = feilun("release", KIOSK.task, "made-up", "--reason", "x", "--store", lived)
    assert said.code == UNUSABLE
    assert "made-up" in said.err


def test_a_reason_cannot_be_empty(feilun: Run, lived: Path) -> None:
    said = feilun("rollback", KIOSK.task, "--reason", " ", "--store", lived)
    assert said.code == UNUSABLE
    assert "Say why" in said.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is not TOML"),
        (TOML.replace("name =", "nam ="), "unknown key 'nam'"),
        (TOML.replace("0.1", "7"), "red_line.max_loss"),
    ],
    ids=["no toml", "unknown key", "no red line"],
)
def test_a_bad_declaration_is_explained_and_makes_no_store(
    feilun: Run, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "shelf.toml"
    file.write_text(text)
    said = feilun("declare", file, "--store", tmp_path / "new")
    assert said.code == UNUSABLE
    assert message in said.err
    assert not (tmp_path / "new").exists()


def test_a_bad_book_of_prices_is_explained(feilun: Run, lived: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('currency = "CNY"\n[prices]\n"audit:dog" = { amount = 1 }')
    said = feilun("status", "--store", lived, "--prices", file)
    assert said.code == UNUSABLE
    assert "unknown item 'audit:dog'" in said.err
    said = feilun("verify", "--store", lived, "--prices", tmp_path / "none.toml")
    assert said.code == UNUSABLE
    assert "none.toml: cannot be read" in said.err


def test_a_word_that_is_no_command_or_option_ends_with_2(feilun: Run) -> None:
    assert feilun("trun").code == UNUSABLE
    assert feilun("status", "--stroe", "x").code == UNUSABLE
    assert feilun("rollback", "kiosk.shelf").code == UNUSABLE  # no reason


def test_a_url_of_no_known_kind_cannot_be_reached_and_ends_with_3(feilun: Run) -> None:
    said = feilun("status", "--store", "mysql://nowhere/books")
    assert said.code == STORE
    assert "is no kind of store" in said.err


def test_the_exit_codes_are_those_of_the_page() -> None:
    assert (DONE, NO, UNUSABLE, STORE) == (0, 1, 2, 3)
    assert "0 done; 1 done, and the answer is no" in (cli.__doc__ or "").replace("\n", " ")


# As a process


def test_the_program_starts_without_what_only_some_commands_need() -> None:
    code = """
import sys
import feilun.cli
heavy = [
    "feilun.demo", "feilun.demo_report", "feilun.appraise", "feilun.capital", "drain3",
    "onnxruntime", "torch",
]
print([name for name in heavy if name in sys.modules])
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, check=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("package", "extra"), [("tomlkit", "gateway"), ("xllamacpp", "embedded")])
def test_a_package_that_is_not_installed_is_named_by_the_extra_that_brings_it(
    feilun: Run, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    def lacks(**_: Json) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.items")

    monkeypatch.setattr(cli, "app", lacks)
    said = feilun("engines", "list")
    assert said.code == UNUSABLE
    assert f"pip install 'feilun[{extra}]'" in said.err


def test_what_a_message_quotes_is_printed_as_it_is(feilun: Run) -> None:
    said = feilun("status", "--store", "[bold]no[/red]")
    assert said.code == UNUSABLE
    assert "'[bold]no[/red]'" in said.err


def test_a_mistake_in_a_process_of_its_own_is_one_sentence_and_code_2(tmp_path: Path) -> None:
    code = "from feilun.cli import main; main()"
    run = [sys.executable, "-c", code, "status", "--store", str(tmp_path / "no")]
    done = subprocess.run(run, capture_output=True, check=False, text=True, env=dict(os.environ))
    assert done.returncode == UNUSABLE
    assert done.stdout == ""
    assert done.stderr.startswith("InputError: There is no store in")
    assert len(done.stderr.strip().splitlines()) == 1
