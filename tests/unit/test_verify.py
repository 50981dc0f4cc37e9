"""Verify: everything is derived again, and what was changed is named."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from kiosk_log import Stand, a_correction, at, opened

from feilun.errors import InputError
from feilun.records import (
    KINDS,
    Audit,
    Call,
    Candidate,
    Certificate,
    Dataset,
    Record,
    RedLine,
    Release,
)
from feilun.testing import FakeBook, MemoryStore
from feilun.testing.kiosk import KIOSK
from feilun.verify import MOST_NAMED, Check, read_head, verify, write_head


def problems(stand: Stand) -> list[Check]:
    return [check for check in verify(stand.house) if check.problem]


def rewritten(stand: Stand, change: Callable[[Record], Record | None]) -> Stand:
    """A stand on a log in which someone has rewritten rows, digests and all, without a trace."""
    found = MemoryStore()
    changed = [change(record) for kind in KINDS.values() for record in stand.store.read(kind)]
    found.append(*[record for record in changed if record is not None])
    for candidate in stand.store.read(Candidate):
        found.put(stand.store.fetch(candidate.artefact))
    for dataset in stand.store.read(Dataset):
        found.put(stand.store.fetch(dataset.examples))
    return Stand(store=found, start=stand.clock.now())


@pytest.fixture(scope="module")
def lived() -> Stand:
    """A stand with a refusal, a certificate, a release and a rollback. Read only."""
    stand = opened()
    stand.serve(50)
    stand.house.rollback(KIOSK.task, "to see the teacher again")
    return stand


def only(stand: Stand, kind: type[Record]) -> Record:
    (found,) = stand.store.read(kind)
    return found


def calibrating(stand: Stand) -> str:
    """The id of a call that calibrated the certificate."""
    certificate = only(stand, Certificate)
    assert isinstance(certificate, Certificate)
    dataset = stand.store.get(Dataset, certificate.dataset)
    audited = [call for call, _ in stand.house.auditing.audited(KIOSK.task)]
    return next(call.id for call in audited if dataset.cut <= call.at < dataset.until)


def test_of_an_untouched_log_everything_is_derived_again(lived: Stand) -> None:
    checks = list(verify(lived.house))
    assert sorted(check.kind for check in checks) == [
        "certificate", "journal", "refusal", "release", "release",
    ]  # fmt: skip
    assert problems(lived) == []


def test_an_empty_log_has_nothing_to_disagree_with() -> None:
    assert list(verify(Stand().house)) == []


def test_progress_is_told_verdict_by_verdict(lived: Stand) -> None:
    told: list[tuple[int, int]] = []
    list(verify(lived.house, lambda done, total: told.append((done, total))))
    assert told[-1] == (2, 2)


def test_a_log_rewritten_without_a_change_still_agrees(lived: Stand) -> None:
    assert problems(rewritten(lived, lambda record: record)) == []


@pytest.mark.parametrize("change", [{"input": "nothing"}, {"at": at(-1)}], ids=["input", "time"])
def test_a_changed_call_is_named(lived: Stand, change: dict[str, object]) -> None:
    victim = calibrating(lived)

    def forge(record: Record) -> Record:
        mine = isinstance(record, Call) and record.id == victim
        return record.model_copy(update=change) if mine else record

    found = problems(rewritten(lived, forge))
    assert found
    assert any(f"call {victim}" in (check.problem or "") for check in found)


def test_a_call_that_was_taken_out_is_named(lived: Stand) -> None:
    victim = calibrating(lived)
    found = problems(
        rewritten(lived, lambda r: None if isinstance(r, Call) and r.id == victim else r)
    )
    assert any(f"call {victim}" in (check.problem or "") for check in found)


def test_a_call_that_was_put_in_is_named(lived: Stand) -> None:
    victim = calibrating(lived)
    forged = rewritten(lived, lambda record: record)
    call = forged.store.get(Call, victim)
    new = {"id": "put-in", "input": "quite another thing", "by": "teacher"}
    forged.store.append(call.model_copy(update=new))
    audit = next(audit for audit in forged.store.read(Audit) if audit.call == victim)
    forged.store.append(audit.model_copy(update={"id": "put-in-too", "call": "put-in"}))
    assert any("call put-in " in (check.problem or "") for check in problems(forged))


def test_an_audit_that_was_softened_is_found(lived: Stand) -> None:
    victim = calibrating(lived)

    def forge(record: Record) -> Record:
        mine = isinstance(record, Audit) and record.call == victim
        return record.model_copy(update={"output": "nonsense"}) if mine else record

    found = problems(rewritten(lived, forge))
    assert any(f"call {victim}" in (check.problem or "") for check in found)


def test_a_correction_said_later_does_not_disturb_what_was_derived_before(lived: Stand) -> None:
    forged = rewritten(lived, lambda record: record)
    late = a_correction(calibrating(lived), "fruit", id="late")
    forged.house.keep(late.model_copy(update={"at": lived.clock.now() + timedelta(days=1)}))
    assert problems(forged) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("threshold", 0.1), ("loss_upper", 0.001), ("audits", 9999), ("attempt", 7), ("delta", 0.01)],
)
def test_a_prettier_certificate_is_named_with_the_field(
    lived: Stand, field: str, value: float
) -> None:
    def forge(record: Record) -> Record:
        mine = isinstance(record, Certificate)
        return record.model_copy(update={field: value}) if mine else record

    found = problems(rewritten(lived, forge))
    assert any(c.kind == "certificate" and f"{field}: stored" in (c.problem or "") for c in found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.0}, "does not serve what certificate"),
        ({"variant": "another"}, "does not serve what certificate"),
        ({"certificate": None}, "without a certificate"),
        ({"certificate": "made up"}, "made up"),
    ],
    ids=str,
)
def test_a_release_that_nothing_entitles_to_is_named(
    lived: Stand, change: dict[str, object], message: str
) -> None:
    def forge(record: Record) -> Record:
        mine = isinstance(record, Release) and record.variant is not None
        return record.model_copy(update=change) if mine else record

    found = problems(rewritten(lived, forge))
    assert [check.kind for check in found] == ["release"]
    assert message in (found[0].problem or "")


def test_a_changed_artefact_is_named_and_the_other_checks_go_on() -> None:
    stand = opened()
    certificate = only(stand, Certificate)
    assert isinstance(certificate, Certificate)
    artefact = stand.store.get(Candidate, certificate.candidate).artefact
    stand.store.spoil_blob(artefact)  # type: ignore[attr-defined]
    found = problems(stand)
    assert {check.kind for check in found} == {"certificate", "release"}
    assert all(artefact in (check.problem or "") for check in found)
    assert len(list(verify(stand.house))) == 4


def test_a_changed_count_in_a_dataset_is_named(lived: Stand) -> None:
    def forge(record: Record) -> Record:
        mine = isinstance(record, Dataset)
        return record.model_copy(update={"conflicts": 99}) if mine else record

    found = problems(rewritten(lived, forge))
    assert {check.kind for check in found} == {"certificate", "refusal"}
    assert all("its counts differ" in (check.problem or "") for check in found)


def test_damaged_examples_of_a_dataset_are_named() -> None:
    stand = opened()
    certificate = only(stand, Certificate)
    assert isinstance(certificate, Certificate)
    examples = stand.store.get(Dataset, certificate.dataset).examples
    stand.store.spoil_blob(examples)  # type: ignore[attr-defined]
    found = problems(stand)
    assert [check.kind for check in found] == ["certificate"]
    assert examples in (found[0].problem or "")


def test_a_damaged_row_is_named_before_anything_is_derived() -> None:
    stand = opened()
    call = next(iter(stand.store.read(Call)))
    stand.store.spoil(call)  # type: ignore[attr-defined]
    found = problems(stand)
    assert [check.kind for check in found] == ["log"]
    assert repr(call.id) in (found[0].problem or "")


def test_a_row_that_was_taken_out_is_found_though_no_verdict_stands_on_it() -> None:
    stand = opened()
    stand.serve(3)  # calls that nobody judged
    *_, victim, _ = stand.store.read(Call)
    stand.store.take_out(victim)  # type: ignore[attr-defined]
    (found,) = problems(stand)
    assert found.kind == "log"
    assert "taken out" in (found.problem or "")


def test_of_a_log_that_is_broken_everywhere_the_first_rows_are_named() -> None:
    stand = opened()
    for call in stand.store.read(Call):
        stand.store.spoil(call)  # type: ignore[attr-defined]
    found = problems(stand)
    assert len(found) == MOST_NAMED
    assert [int(check.id) for check in found] == sorted(int(check.id) for check in found)


def test_a_log_contains_a_head_that_was_noted_before_and_not_one_of_another_log() -> None:
    stand = opened()
    noted = read_head(write_head(stand.store.head()))
    stand.serve(5)
    assert [check.problem for check in verify(stand.house, noted=noted) if check.problem] == []
    found = list(verify(Stand().house, noted=noted))
    assert [check.kind for check in found] == ["log"]
    assert f"the log ends at row {Stand().store.head().seq}" in (found[0].problem or "")


@pytest.mark.parametrize(
    "text", ["", "7", ":" + "0" * 64, "7:abc", "-1:" + "0" * 64, "7:" + "G" * 64, "7" * 20 + ":"]
)
def test_what_is_no_head_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(InputError, match="SEQ:HEX"):
        read_head(text)


def test_a_new_declaration_does_not_disturb_the_verdicts_of_the_old_one() -> None:
    stand = opened()
    line = RedLine(max_loss=0.02, confidence=0.99)
    stand.house.declare(KIOSK.model_copy(update={"id": "stricter", "red_line": line}))
    assert problems(stand) == []


def test_another_book_of_prices_does_not_disturb_the_refusals_of_the_old_one() -> None:
    stand = opened()
    other = Stand(store=stand.store, book=FakeBook(), start=stand.clock.now(), seed=1)
    assert problems(other) == []
