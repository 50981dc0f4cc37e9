"""`feilun demo` as a newcomer runs it, and what its store lets them do next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def feilun(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from feilun.cli import main; main()", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def story(place: Path) -> dict[str, object]:
    done = feilun("demo", "--store", "books", "--json", folder=place)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_the_demo_turns_several_times_and_releases_a_certified_student(
    place: Path, story: dict[str, object]
) -> None:
    done = feilun("status", "--store", "books", "--json", folder=place)
    (task,) = json.loads(done.stdout)["tasks"]
    assert task["calls"] >= 1500
    assert len(task["verdicts"]) >= 4
    assert "refusal" in task["verdicts"]
    assert "certificate" in task["verdicts"]
    assert task["certificate"] is not None
    assert task["student_share"] > 0
    assert story["schema"] == "feilun.demo/1"


@pytest.mark.usefixtures("story")
def test_the_report_stands_alone(place: Path) -> None:
    page = (place / "feilun-demo.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/", "")


@pytest.mark.usefixtures("story")
def test_every_verdict_of_the_demo_is_derived_again(place: Path) -> None:
    done = feilun("verify", "--store", "books", "--json", folder=place)
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    assert found["checked"] >= 5
    assert found["failed"] == []


@pytest.mark.usefixtures("story")
def test_a_runway_takes_the_economics_of_a_task_from_the_ledger(place: Path) -> None:
    plan = """
currency = "CNY"
cash = { amount = 5000, on = 2026-05-01, why = "a test" }
[[income]]
name = "Bookkeeping"
task = "expense.category"
why = "the demo"
[[spending]]
name = "Rent"
amount = 400
why = "a test"
"""
    (place / "plan.toml").write_text(plan, encoding="utf-8")
    done = feilun("runway", "plan.toml", "--store", "books", "--json", folder=place)
    assert done.returncode == 0, done.stderr
    (unit,) = json.loads(done.stdout)["tasks"]
    assert unit["task"] == "expense.category"
    assert 70 < unit["calls_per_day"] < 90  # 4,808 calls in sixty days
    assert unit["margin_per_call"] < 0  # nothing is sold, and audits cost


@pytest.mark.usefixtures("story")
def test_a_person_rolls_back_and_releases_again(place: Path) -> None:
    status = json.loads(feilun("status", "--store", "books", "--json", folder=place).stdout)
    certificate = status["tasks"][0]["certificate"]
    told = ("--reason", "a test", "--store", "books", "--json")
    back = feilun("rollback", "expense.category", *told, folder=place)
    assert json.loads(back.stdout)["variant"] is None
    again = feilun("rollback", "expense.category", *told, folder=place)
    assert again.returncode == 2
    assert "Traceback" not in again.stderr
    forth = feilun("release", "expense.category", certificate, *told, folder=place)
    assert json.loads(forth.stdout)["certificate"] == certificate


@pytest.mark.usefixtures("story")
def test_a_second_demo_never_writes_over_the_first(place: Path) -> None:
    done = feilun("demo", "--store", "books", folder=place)
    assert done.returncode == 2
    assert "holds a store already" in done.stderr
