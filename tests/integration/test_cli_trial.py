"""`feilun trial` as people and scripts meet it: a shadow, a canary, and their end."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from kiosk_log import Stand, moved, opened
from typer.testing import CliRunner

from feilun.cli.trial import trial_app
from feilun.errors import InputError, NotFound, ReleaseError
from feilun.house import House
from feilun.ports import Store
from feilun.records import Certificate, Trial
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify


def run(store: Path, *words: str) -> Result:
    return CliRunner().invoke(trial_app, [*words, "--store", str(store)])


@pytest.fixture(scope="module")
def before() -> Stand:
    """A stand whose certified student was rolled back."""
    stand = opened()
    stand.house.rollback(KIOSK.task, "to try it first")
    return stand


@pytest.fixture
def store(before: Stand, tmp_path: Path) -> Path:
    with closing(open_store(tmp_path)) as log:
        moved(before, log)
    return tmp_path


def proof(before: Stand) -> Certificate:
    return next(iter(before.store.read(Certificate)))


def test_a_shadow_is_started_shown_and_stopped(before: Stand, store: Path) -> None:
    begun = run(store, "start", KIOSK.task, "--candidate", proof(before).candidate,
                "--reason", "what would it say?")  # fmt: skip
    assert begun.exit_code == 0, begun.output
    assert "speaks beside each answer of kiosk.shelf, and serves nobody" in begun.stdout
    with closing(open_store(store)) as log:
        _served(log, 60, before)
    shown = run(store, "show", KIOSK.task)
    assert shown.exit_code == 0
    assert "shadow: what would it say?" in shown.stdout
    assert "the teacher" in shown.stdout
    assert "60 calls on which both spoke" in shown.stdout
    over = run(store, "stop", KIOSK.task, "--reason", "seen enough", "--json")
    assert json.loads(over.stdout)["trial"]["ended"] is True
    assert "(over): seen enough" in run(store, "show", KIOSK.task).stdout


def test_a_canary_in_json_says_all_that_the_table_does(before: Stand, store: Path) -> None:
    begun = run(store, "start", KIOSK.task, "--certificate", proof(before).id, "--share", "0.25",
                "--reason", "a few first", "--json")  # fmt: skip
    told = json.loads(begun.stdout)
    assert told["schema"] == "feilun.trial.start/1"
    assert (told["trial"]["how"], told["trial"]["share"]) == ("canary", 0.25)
    with closing(open_store(store)) as log:
        _served(log, 40, before)
    shown = json.loads(run(store, "show", KIOSK.task, "--json").stdout)
    assert shown["schema"] == "feilun.trial/1"
    assert shown["trial"]["certificate"] == proof(before).id
    assert (shown["shown"], shown["incumbent"], shown["broken"]) == ("open", None, None)
    assert 20 <= shown["calls"] <= 38  # on the others it led, and a teacher speaks beside nobody
    assert -1 <= shown["low"] <= shown["high"] <= 1


def test_a_task_without_a_trial_says_so_with_exit_code_1(store: Path) -> None:
    shown = run(store, "show", KIOSK.task)
    assert (shown.exit_code, "has had no trial" in shown.stdout) == (1, True)
    assert json.loads(run(store, "show", KIOSK.task, "--json").stdout)["trial"] is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["start", KIOSK.task], InputError),
        (["start", KIOSK.task, "--candidate", "a", "--certificate", "b"], InputError),
        (["start", KIOSK.task, "--candidate", "nobody"], NotFound),
        (["start", "kiosk.self", "--candidate", "nobody"], NotFound),
        (["stop", KIOSK.task], ReleaseError),
    ],
)
def test_what_cannot_be_is_an_error_that_says_what_to_do(
    store: Path, words: list[str], error: type[Exception]
) -> None:
    done = run(store, *words, "--reason", "a test")
    assert isinstance(done.exception, error)


def test_a_canary_without_its_proof_is_named_by_verify(before: Stand, store: Path) -> None:
    run(store, "start", KIOSK.task, "--certificate", proof(before).id, "--reason", "try")
    with closing(open_store(store)) as log:
        trial = next(iter(log.read(Trial)))
        forged = {"more": {"threshold": 0.1}, "none": {"certificate": None},
                  "lost": {"certificate": "nobody"}}  # fmt: skip
        for id, change in forged.items():
            log.append(trial.model_copy(update={"id": id, "trial": id, **change}))
        log.append(trial.model_copy(update={"id": "other", "share": 1.0}))
        checks = {c.id: c.problem for c in verify(_house(log)) if c.kind == "trial"}
    assert checks[trial.id] is None
    assert "does not serve what certificate" in (checks["more"] or "")
    assert "without a certificate" in (checks["none"] or "")
    assert "nobody" in (checks["lost"] or "")
    assert f"not the trial that began as {trial.id}" in (checks["other"] or "")


def _house(log: Store) -> House:
    return Stand(store=log, seed=9).house


def _served(log: Store, customers: int, before: Stand) -> None:
    Stand(store=log, start=before.clock.now(), seed=1).serve(customers)
