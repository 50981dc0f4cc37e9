"""What must not drift: recorded calls, the rows they become, and the verdict, to the byte.

Where a change is meant: `PYTHONPATH=src:tests python tests/golden/write.py`, and read the diff.
"""

import json
from pathlib import Path

import pytest
from write import LOG, RECORDS, STUDENT, derived, read, student_says

from feilun.records import KINDS, Certificate, Dataset, Example, decode, encode

OLD = [row.split("\t", 1) for row in RECORDS.read_text(encoding="utf-8").splitlines()]
DERIVED = derived()


@pytest.mark.parametrize("file", DERIVED, ids=lambda file: file.name)
def test_the_recorded_log_still_becomes_the_same_bytes(file: Path) -> None:
    assert DERIVED[file] == file.read_bytes()


def test_the_log_itself_is_read_and_written_back_to_the_byte() -> None:
    rows = [f"{record.kind}\t{encode(record).decode()}\n" for record in read(LOG)]
    assert "".join(rows) == LOG.read_text(encoding="utf-8")


def test_the_goldens_show_something() -> None:
    rows = {file.name: body for file, body in DERIVED.items()}
    dataset = decode(Dataset, rows["dataset.json"])
    assert dataset.train > 100
    assert dataset.calibration > 50
    assert dataset.thinned > 0
    verdict = Certificate.model_validate(json.loads(rows["verdict.json"])["certificate"])
    assert 0 < verdict.coverage < 1
    sources = {
        Example.model_validate_json(row).source for row in rows["examples.jsonl"].splitlines()
    }
    assert sources == {"correction", "accepted", "audit", "teacher"}


@pytest.mark.parametrize(("kind", "body"), OLD, ids=[kind for kind, _ in OLD])
def test_a_record_as_version_1_wrote_it_stays_readable(kind: str, body: str) -> None:
    assert json.loads(body)["version"] == 1
    assert encode(decode(KINDS[kind], body)).decode() == body


def test_there_is_an_old_record_of_every_kind() -> None:
    assert sorted({kind for kind, _ in OLD}) == sorted(KINDS)


def test_the_linear_student_still_says_what_it_said() -> None:
    # Labels exactly; confidences to what another processor's arithmetic may differ by.
    said, golden = student_says(), json.loads(STUDENT.read_text(encoding="utf-8"))
    assert [label for label, _ in said] == [label for label, _ in golden]
    assert [sure for _, sure in said] == pytest.approx([sure for _, sure in golden], abs=0.01)
