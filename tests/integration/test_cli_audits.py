"""`feilun audits` as people and scripts meet it."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import tomlkit
from kiosk_log import moved, opened
from typer.testing import CliRunner, Result

from feilun.cli.audits import audits_app
from feilun.errors import InputError
from feilun.records import Audit, Json, Skip
from feilun.store import open_store
from feilun.testing.kiosk import KIOSK
from feilun.testing.upstream import MODELS, Exchange, Upstream, chat

BOOK = """
currency = "CNY"
[prices]
"teacher:input_token" = { amount = "0.001", source = "a test", since = 2026-01-01 }
"teacher:output_token" = { amount = "0.002", source = "a test", since = 2026-01-01 }
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A kiosk whose student has served while its keeper was away."""
    stand = opened()
    for line in stand.traffic[1000:1100]:
        stand.house.answer(KIOSK.task, line.text)
    with closing(open_store(tmp_path / "store")) as kept:
        moved(stand, kept)
    (tmp_path / "prices.toml").write_text(BOOK, encoding="utf-8")
    return tmp_path / "store"


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Upstream]:
    """A model server that says drinks to everything, and a feilun.toml that names it."""

    async def drinks(exchange: Exchange) -> None:
        await chat("drinks")(exchange)

    with Upstream() as upstream:
        upstream.behave(drinks)
        config = {
            "teacher": MODELS[0],
            "embedded": {"enabled": False},
            "engines": {"mock": {"url": upstream.url, "models": list(MODELS)}},
        }
        (tmp_path / "feilun.toml").write_text(tomlkit.dumps(config), encoding="utf-8")
        yield upstream


def run(store: Path, *words: str, typed: str | None = None) -> Result:
    book = str(store.parent / "prices.toml")
    args = [*words, "--store", str(store), "--prices", book]
    return CliRunner().invoke(audits_app, args, input=typed, env={"COLUMNS": "250"})


def told(done: Result) -> Json:
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return json.loads(done.stdout)


def test_the_overview_says_how_often_each_task_is_drawn_and_why(store: Path) -> None:
    [row] = told(run(store, "--json"))["tasks"]
    assert (row["task"], row["rate"]) == (KIOSK.task, 0.3)
    assert row["drawn"] == row["by_person"] + row["waiting"]
    assert row["why"]["release"] > 1
    words = run(store).stdout
    assert "times as often after the release" in words
    assert "feilun audits run" in words


def test_calls_are_listed_in_the_order_in_which_they_are_judged(store: Path) -> None:
    listed = told(run(store, "list", "--json", "--limit", "3"))["calls"]
    done = run(store, "judge", "--limit", "3", typed="\ns\nq\n")
    assert "1 judged, 1 skipped." in done.stdout
    with closing(open_store(store)) as kept:
        audits, skips = list(kept.read(Audit)), list(kept.read(Skip))
    assert (audits[-1].call, audits[-1].output) == (listed[0]["call"], listed[0]["output"])
    assert [skip.call for skip in skips] == [listed[1]["call"]]
    assert listed[2]["input"] in done.stdout


def test_a_person_edits_and_is_told_what_the_task_does_not_allow(store: Path) -> None:
    done = run(store, "judge", "--limit", "1", typed="what\ne\nfish\ne\nfruit\n")
    assert "1 judged, 0 skipped." in done.stdout
    with closing(open_store(store)) as kept:
        assert list(kept.read(Audit))[-1].output == "fruit"


def test_who_judges_blind_is_not_shown_the_answer(store: Path) -> None:
    [call] = told(run(store, "list", "--json", "--limit", "1"))["calls"]
    done = run(store, "judge", "--blind", "--limit", "1", typed="papers\n")
    assert f"-> {call['output']}" not in done.stdout
    with closing(open_store(store)) as kept:
        assert list(kept.read(Audit))[-1].output == "papers"


def test_a_program_judges_by_lines_and_a_bad_line_harms_no_other(store: Path) -> None:
    first, second = told(run(store, "list", "--json", "--limit", "2"))["calls"]
    lines = [
        json.dumps({"call": first["call"], "output": "fruit"}),
        "no json",
        "[" * 100_000,
        json.dumps({"call": second["call"], "output": "fish"}),
        json.dumps({"call": "nobody", "output": "fruit"}),
        json.dumps({"call": second["call"], "skip": True}),
    ]
    done = run(store, "judge", "--json", "--limit", "2", typed="\n".join(lines) + "\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["call"] for row in rows[:2]] == [first["call"], second["call"]]
    assert [sorted(row) for row in rows[2:]] == [
        ["audit", "call"], ["error"], ["error"], ["error"], ["error"], ["call", "skip"],
    ]  # fmt: skip


def test_the_teacher_judges_what_waits_and_says_the_price_first(
    store: Path, teacher: Upstream
) -> None:
    config = ("--config", str(store.parent / "feilun.toml"))
    [row] = told(run(store, "--json"))["tasks"]
    with pytest.raises(InputError, match="Say --yes"):
        raise run(store, "run", *config).exception or AssertionError
    assert not teacher.requests
    done = told(run(store, "run", "--limit", "5", "--json", *config))
    assert done["schema"] == "feilun.audits_run/1"
    assert len(done["audits"]) == 5
    rest = run(store, "run", "--yes", *config)
    assert rest.exit_code == 0, rest.output
    assert "at an unknown price" in rest.stdout or "about" in rest.stdout
    [after] = told(run(store, "--json"))["tasks"]
    assert (after["by_teacher"], after["for_teacher"]) == (row["for_teacher"], 0)
    assert "Nothing waits for the teacher" in run(store, "run", "--yes", *config).stdout


def test_a_budget_that_cannot_be_kept_is_refused_before_anything_is_asked(
    store: Path, teacher: Upstream
) -> None:
    config = ("--config", str(store.parent / "feilun.toml"))
    done = run(store, "run", "--yes", "--budget", "1 CNY", *config)
    assert isinstance(done.exception, InputError)
    assert "a budget cannot be kept" in str(done.exception)
    assert not teacher.requests


def test_a_model_that_no_engine_has_is_named(store: Path, teacher: Upstream) -> None:
    assert teacher
    config = ("--config", str(store.parent / "feilun.toml"))
    done = run(store, "run", "--yes", "--model", "nobody", *config)
    assert isinstance(done.exception, InputError)
    assert "'nobody'" in str(done.exception)
