"""`feilun watch`: what it shows, what it raises, and how it ends."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from kiosk_log import Stand, moved, opened
from typer.testing import CliRunner, Result

from feilun.cli.options import DONE, NO
from feilun.cli.watch import watch_app
from feilun.errors import NotFound
from feilun.records import Never
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK
from feilun.wiring import open_house


def run(*words: str) -> Result:
    """Run the command; an error of ours rises, as it does to `main`."""
    found = CliRunner().invoke(watch_app, list(words))
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def stored(stand: Stand, folder: Path) -> str:
    with closing(open_store(folder)) as store:
        moved(stand, store)
    return str(folder)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> str:
    stand = opened()
    stand.serve(100)
    return stored(stand, tmp_path_factory.mktemp("healthy") / "store")


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store whose student is over its line, and nobody has looked."""
    stand = opened()
    stand.rearrange()
    monkeypatch.setattr(stand.house.guarding, "look", lambda *_: [])
    stand.serve(60)
    return stored(stand, tmp_path / "store")


def test_a_student_that_holds_its_line_is_shown_with_its_evidence(healthy: str) -> None:
    said = run("--store", healthy)
    assert said.exit_code == DONE
    for word in ("kiosk.shelf", "loss", "0.05", "··········", "of 33", "traffic has changed"):
        assert word in said.stdout


def test_programs_get_each_limit_the_risk_and_the_early_warning(healthy: str) -> None:
    said = json.loads(run("--store", healthy, "--json").stdout)
    assert (said["schema"], said["raised"]) == ("feilun.watch/1", [])
    (task,) = said["tasks"]
    (limit,) = task["limits"]
    assert (limit["why"], limit["line"], limit["what"]) == ("risk", 0.05, "loss")
    assert limit["needed"] == pytest.approx(32.9, abs=0.1)
    assert task["risk"]["audits"] == limit["seen"] > 10
    assert set(task["drifting"]) == {"confidence", "input"}
    assert (task["drifts"], task["last_drift"], task["alarms"]) == (0, None, [])


def test_a_look_that_raises_an_alarm_says_so_and_ends_with_1_and_the_next_one_with_0(
    broken: str,
) -> None:
    said = run("--store", broken)
    assert said.exit_code == NO
    words = " ".join(said.stdout.split())
    assert "Alarm: kiosk.shelf: loss 1, the line is 0.05; after 2 audits" in words
    assert "The teacher answers again." in words
    again = run("--store", broken)
    assert again.exit_code == DONE
    assert "nothing: the teacher answers" in " ".join(again.stdout.split())
    assert "alarm at" in again.stdout


def test_rules_that_allow_no_case_are_named(healthy: str) -> None:
    rule = Never(name="no [tea] as food", answer={"const": "bakery"}, right={"const": "drinks"})
    line = KIOSK.red_line.model_copy(update={"never": (rule,)})
    with closing(open_house(healthy)) as house:
        house.declare(KIOSK.model_copy(update={"red_line": line}))
        said = run("--store", healthy, "--task", KIOSK.task)
        house.declare(KIOSK)
    assert "one audit is enough for: no [tea] as food" in said.stdout


def test_a_task_that_is_none_is_named_with_those_that_there_are(healthy: str) -> None:
    with pytest.raises(NotFound, match=r"'kiosk.self'.*kiosk.shelf"):
        run("--store", healthy, "--task", "kiosk.self")
