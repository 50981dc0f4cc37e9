"""A sample of traffic: thirty-two people's bookkeeping, line by line, and a teacher's answers.

The lines and their gold categories were written for this project, not collected: nobody
typed them in earnest. `people/<name>.tsv` holds day, category and text of one person.
People join on different days and their lives change, so the mix drifts. The answers were
recorded from the embedded teacher by `recipes/record_expense_answers.py`.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feilun.ports import Answer

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.jsonl"
FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """One line of bookkeeping: who typed what when, and the right category."""

    at: datetime
    person: str
    text: str
    gold: str


def lines() -> list[Line]:
    """The whole sample, in time order. A line's minute of the day follows from its text."""
    found = []
    for path in sorted((HERE / "people").glob("*.tsv")):
        for row in path.read_text(encoding="utf-8").splitlines():
            day, gold, text = row.split("\t")
            minute = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 960
            at = FIRST_DAY + timedelta(days=int(day) - 1, hours=7, minutes=minute)
            found.append(Line(at, path.stem, text, gold))
    return sorted(found, key=lambda line: (line.at, line.person, line.text))


def answers() -> dict[str, Answer]:
    """The recorded answers of the teacher, by the text of the line."""
    rows = [json.loads(row) for row in ANSWERS.read_text(encoding="utf-8").splitlines()]
    return {row.pop("text"): Answer(device="recorded: 2-core CPU", **row) for row in rows}
