"""`feilun plan` as people and scripts meet it."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kiosk_log import PRICES, Stand
from typer.testing import CliRunner, Result

from feilun.cli.plan import plan_app
from feilun.cli.wheel import wheel
from feilun.errors import InputError, NotFound
from feilun.records import Plan
from feilun.store import open_store
from feilun.testing import FakeBook
from feilun.testing.kiosk import KIOSK

BOOK = """
currency = "CNY"
[prices]
"teacher:second" = { amount = "0.5", source = "a test", since = 2026-01-01 }
"student:second" = { amount = "0.0001", source = "a test", since = 2026-01-01 }
"training:second" = { amount = "0.0001", source = "a test", since = 2026-01-01 }
"audit:person" = { amount = "0.02", source = "a test", since = 2026-01-01 }
"""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a kiosk's last two days; nobody has said what a label costs."""
    folder = tmp_path_factory.mktemp("kiosk")
    with closing(open_store(folder)) as store:
        stand = Stand(
            store=store,
            book=FakeBook({**PRICES, "teacher:second": "0.5"}),
            start=datetime.now(UTC) - timedelta(days=2),
        )
        stand.serve(200)
    (folder / "prices.toml").write_text(BOOK, encoding="utf-8")
    return folder


def run(store: Path, *words: str) -> Result:
    book = ["--prices", str(store / "prices.toml")] if (store / "prices.toml").exists() else []
    return CliRunner().invoke(
        plan_app, [*words, "--store", str(store), *book], env={"COLUMNS": "250"}
    )


def test_json_ranks_the_plans_that_the_log_then_holds(lived: Path) -> None:
    done = run(lived, "--json", "--budget", "20 CNY", "--horizon", "30")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["schema"] == "feilun.plan/1"
    with closing(open_store(lived)) as store:
        kept = {plan.id for plan in store.read(Plan)}
    assert {row["id"] for row in told["plans"]} <= kept
    known = [row["returned"] is not None for row in told["plans"]]
    assert known == sorted(known, reverse=True)
    assert sum(row["chosen"] for row in told["plans"]) <= 1
    labels = [row for row in told["plans"] if row["do"] == "label"]
    assert labels
    assert all("the price of label:person" in row["unknown"] for row in labels)
    assert all(row["returned"] is None for row in labels)
    assert {row["horizon_days"] for row in told["plans"]} == {30}


def test_a_table_names_what_is_not_known(lived: Path) -> None:
    done = run(lived, "--task", KIOSK.task)
    assert done.exit_code == 0, done.output
    assert "turn: train on" in done.stdout
    assert "return in 90 days, CNY" in done.stdout
    assert "unknown is the price of label:person" in done.stdout
    assert "chosen" not in done.stdout


def test_a_budget_of_nothing_buys_nothing(lived: Path) -> None:
    done = run(lived, "--budget", "0")
    assert "Nothing in the budget" in done.stdout


def test_after_a_turn_the_plan_is_held_against_it(lived: Path) -> None:
    run(lived)
    book = str(lived / "prices.toml")
    turned = CliRunner().invoke(
        wheel, ["turn", KIOSK.task, "--store", str(lived), "--prices", book, "--json"]
    )
    foretold = json.loads(turned.stdout)["foretold"]
    assert foretold["certified"] is False
    told = json.loads(run(lived, "--past", "--json").stdout)
    assert told["schema"] == "feilun.plan_past/1"
    assert told["past"] == [foretold]
    assert told["calibration"]["verdicts"] == 1
    assert "certificates were expected" in " ".join(run(lived, "--past").stdout.split())


def test_a_past_without_plans_says_what_to_do(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        Stand(store=store)
    done = run(tmp_path, "--past")
    assert done.exit_code == 0
    assert "Plan, turn, then look here" in done.stderr


@pytest.mark.parametrize("budget", ["much", "-1", "1e3", "12 EUR", "5 cny", "1 CNY 2"])
def test_a_budget_that_is_none_is_refused(lived: Path, budget: str) -> None:
    done = run(lived, "--budget", budget)
    assert isinstance(done.exception, InputError)
    assert "budget" in str(done.exception)


def test_an_unknown_task_and_an_empty_store_are_named(lived: Path, tmp_path: Path) -> None:
    assert isinstance(run(lived, "--task", "nothing").exception, NotFound)
    with closing(open_store(tmp_path)):
        pass
    found = run(tmp_path).exception
    assert isinstance(found, NotFound)
    assert "feilun declare" in str(found)
