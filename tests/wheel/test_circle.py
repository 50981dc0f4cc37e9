"""The circle of `wheel.py` is closed, and the code walks it as it says."""

import ast
from pathlib import Path

import grimp
import pytest

import feilun
from feilun.records import KINDS, Call, Record
from feilun.wheel import WHEEL

HOME = Path(feilun.__file__).parent

# `tasks` is a floor under the stages as well as the first of them: all may stand on it.
# `gateway` is a door, and stands on the house: it hands on the records of all stages.
STAGES = sorted({stage.where for stage in WHEEL} - {"tasks", "gateway"})


def kinds(side: str) -> list[type[Record]]:
    return [kind for stage in WHEEL for kind in getattr(stage, side)]


def named_in(package: str) -> set[str]:
    """The kinds of record that a package imports by name."""
    return {
        alias.name
        for file in (HOME / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("feilun.records")
        for alias in node.names
    } & {kind.__name__ for kind in KINDS.values()}


def test_every_kind_of_record_is_written_by_exactly_one_stage() -> None:
    assert sorted(kind.kind for kind in kinds("writes")) == sorted(KINDS)


def test_whatever_is_read_is_written_and_whatever_is_written_is_read() -> None:
    assert set(kinds("reads")) == set(kinds("writes"))


def test_one_can_walk_from_call_back_to_call() -> None:
    reached: set[type[Record]] = set()
    edge = {Call}
    while edge:
        edge = {
            written for stage in WHEEL if edge & set(stage.reads) for written in stage.writes
        } - reached
        reached |= edge
    assert Call in reached


def test_no_two_stages_have_one_name() -> None:
    assert len({stage.name for stage in WHEEL}) == len(WHEEL)


@pytest.mark.parametrize("where", sorted({stage.where for stage in WHEEL}))
def test_a_stage_stands_where_the_wheel_says(where: str) -> None:
    assert (HOME / where / "__init__.py").is_file()


# What `apps` reads and writes goes through the house, so it names no record itself.
@pytest.mark.parametrize("where", sorted({"tasks", *STAGES} - {"apps"}))
def test_a_stage_names_the_records_that_it_reads_and_writes_and_no_others(where: str) -> None:
    told = {
        kind.__name__
        for stage in WHEEL
        if stage.where == where
        for kind in (*stage.reads, *stage.writes)
    }
    assert named_in(where) == told


def test_the_door_names_the_records_that_it_writes() -> None:
    written = {
        kind.__name__ for stage in WHEEL if stage.where == "gateway" for kind in stage.writes
    }
    assert written
    assert written <= named_in("gateway")


def test_no_stage_imports_another() -> None:
    graph = grimp.build_graph("feilun", cache_dir=None)
    crossing = [
        (importer, imported)
        for importer in STAGES
        for imported in STAGES
        if importer != imported
        and graph.direct_import_exists(
            importer=f"feilun.{importer}", imported=f"feilun.{imported}", as_packages=True
        )
    ]
    assert crossing == []


def test_only_the_house_and_what_stands_on_it_imports_several_stages() -> None:
    graph = grimp.build_graph("feilun", cache_dir=None)
    above = {
        "house",
        "wiring",
        "verify",
        "figures",
        "demo",
        "demo_report",
        "appraise",
        "capital",
        "gateway",
        "client",
        "cli",
        "testing",
    }
    below = {module.split(".")[1] for module in graph.modules if "." in module} - above
    for part in sorted(below):
        seen = [
            stage
            for stage in STAGES
            if stage != part
            and graph.direct_import_exists(
                importer=f"feilun.{part}", imported=f"feilun.{stage}", as_packages=True
            )
        ]
        assert seen == [], f"feilun.{part} imports {seen}"
