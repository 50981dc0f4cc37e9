"""What goes wrong in the world: a clear word, the next step, and nothing lost."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from kiosk_log import Stand, moved, opened

from feilun import cli
from feilun.records import (
    Call,
    Candidate,
    Certificate,
    RedLine,
    Refusal,
    Release,
    WhyRefused,
    WhyTeacher,
)
from feilun.store import open_store
from feilun.testing.kiosk import GOODS, KIOSK, USUAL
from feilun.verify import verify


@pytest.fixture(scope="module")
def stand() -> Stand:
    """A stand whose student holds a release."""
    return opened()


@pytest.fixture
def folder(stand: Stand, tmp_path: Path) -> Path:
    """A folder with what that stand has lived."""
    with closing(open_store(tmp_path / "books")) as store:
        moved(stand, store)
    return tmp_path / "books"


@pytest.fixture
def feilun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command; its exit code and what it said on standard error."""

    def run(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["feilun", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return int(ended.value.code or 0), said.err + said.out

    return run


def artefact_of(stand: Stand) -> str:
    (certificate,) = stand.store.read(Certificate)
    return stand.store.get(Candidate, certificate.candidate).artefact


def flip_a_byte(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(bytes(body))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_artefact_with_a_changed_byte_hands_the_task_back_to_the_teacher(
    stand: Stand, folder: Path
) -> None:
    artefact = artefact_of(stand)
    (blob,) = [path for path in folder.rglob("*") if path.name.endswith(artefact[2:])]
    flip_a_byte(blob)
    with closing(open_store(folder)) as store:
        before = len(list(store.read(Call)))
        again = Stand(store=store, start=stand.clock.now(), seed=0)
        again.house.audit_rate = 0
        calls = [again.house.ask(KIOSK.task, line.text) for line in again.traffic[:20]]
        assert {call.why_teacher for call in calls} == {WhyTeacher.UNREADABLE}
        problems = [check for check in verify(again.house) if check.problem]
        assert {check.kind for check in problems} == {"certificate", "release"}
        assert all(artefact in (check.problem or "") for check in problems)
        assert len(list(store.read(Call))) == before


def test_verify_names_a_changed_artefact_on_the_command_line_and_ends_with_1(
    stand: Stand, folder: Path, feilun: Callable[..., tuple[int, str]]
) -> None:
    artefact = artefact_of(stand)
    (blob,) = [path for path in folder.rglob("*") if path.name.endswith(artefact[2:])]
    flip_a_byte(blob)
    code, said = feilun("verify", "--store", folder)
    assert code == 1
    assert "differs certificate" in said
    assert artefact in said
    assert "of 4 checks agree" in said


def test_a_red_line_that_cannot_be_met_is_refused_with_its_reason_and_serves_nothing() -> None:
    impossible = KIOSK.model_copy(
        update={"id": "strict", "red_line": RedLine(max_loss=0.0001, confidence=0.99)}
    )
    stand = Stand(task=impossible)
    stand.serve(600)
    turned = stand.turn()
    refusal = turned.verdict
    assert isinstance(refusal, Refusal)
    assert refusal.why in {WhyRefused.TOO_WEAK, WhyRefused.TOO_FEW_AUDITS}
    assert (refusal.delta, turned.release) == (0, None)
    assert refusal.missing_audits is None or refusal.missing_audits > 40_000
    assert {call.by for call in stand.serve(20)} == {"teacher"}
    assert [check.problem for check in verify(stand.house)] == [None, None]


def test_a_stricter_red_line_takes_the_work_from_a_student_that_has_not_proved_it(
    stand: Stand, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path / "books")) as store:
        moved(stand, store)
        again = Stand(store=store, start=stand.clock.now())
        texts = [line.text for line in again.traffic[:30]]
        assert "student" in {again.house.ask(KIOSK.task, text).by for text in texts}
        line = RedLine(max_loss=0.01, confidence=0.99)
        again.house.declare(KIOSK.model_copy(update={"id": "strict", "red_line": line}))
        assert {again.house.ask(KIOSK.task, text).by for text in texts} == {"teacher"}


def test_a_label_never_seen_in_training_is_left_to_the_teacher() -> None:
    # For weeks nobody asks for papers. Then the kiosk begins to sell them.
    stand = Stand()
    stand.only(lambda line: "papers" not in (line.gold, line.said))
    stand.serve(1200)
    assert stand.turn().release
    new = [line for line in stand.traffic if line.gold == "papers"]
    papers = [line for line in new if not any(word in line.text for word in USUAL)]
    calls = [stand.house.ask(KIOSK.task, line.text) for line in papers[:60]]
    assert {call.output for call in calls if call.by == "student"} <= set(GOODS) - {"papers"}
    unsure = [call for call in calls if call.why_teacher == WhyTeacher.UNSURE]
    assert len(unsure) > 0.6 * len(calls)


def test_a_label_that_a_new_declaration_took_away_is_never_served(
    stand: Stand, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path / "books")) as store:
        moved(stand, store)
        again = Stand(store=store, start=stand.clock.now())
        fewer = {"type": "string", "enum": ["drinks", "fruit", "papers"]}
        again.house.declare(KIOSK.model_copy(update={"id": "fewer", "output_schema": fewer}))
        bakery = [line for line in again.traffic if line.gold == "bakery" != line.said]
        calls = [again.house.ask(KIOSK.task, line.text) for line in bakery[:20]]
        assert "bakery" not in {call.output for call in calls}
        assert {call.why_teacher for call in calls} == {WhyTeacher.NO_RELEASE}


@pytest.mark.parametrize("command", ["status", "verify"])
@pytest.mark.parametrize("keep", [0.3, 0.9], ids=["a third", "nearly all"])
def test_a_truncated_store_is_refused_with_code_3_and_left_as_it_is(
    folder: Path, feilun: Callable[..., tuple[int, str]], command: str, keep: float
) -> None:
    file = folder / "feilun.db"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep)])
    before = snapshot(folder)
    code, said = feilun(command, "--store", folder)
    assert code == 3
    assert said.startswith("Damaged: ")
    assert "feilun.db" in said
    assert len(said.strip().splitlines()) == 1
    assert snapshot(folder) == before


def test_a_file_in_the_place_of_a_store_is_refused_with_code_3(
    tmp_path: Path, feilun: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "feilun.db").write_text("my shopping list")
    code, said = feilun("status", "--store", tmp_path)
    assert code == 3
    assert (tmp_path / "feilun.db").read_text() == "my shopping list"
    assert said.startswith("Damaged: ")


def test_what_people_said_survives_a_teacher_that_fails_in_the_middle_of_a_day() -> None:
    stand = Stand()
    stand.serve(50)
    before = {call.id for call in stand.store.read(Call)}
    stand.teacher.fail("the line is down")
    with pytest.raises(Exception, match="the line is down"):
        stand.serve(1)
    stand.teacher.recover()
    stand.serve(50)
    after = [call.id for call in stand.store.read(Call)]
    assert len(after) == 100
    assert before < set(after)
    assert list(stand.store.read(Release)) == []
