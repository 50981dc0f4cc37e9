"""Requests and replies in the vendors' documented shapes, and what the translators make of them.

`PYTHONPATH=src:tests python tests/golden/dialects/dialect_cases.py` writes the derived half
(`request.json`, `answer.json`, `answer.sse`) anew; read the diff.
"""

import json
from pathlib import Path
from unittest.mock import patch

from feilun.models.dialects import Translation, anthropic, between
from feilun.records import Json

HERE = Path(__file__).parent
CASES = sorted(file.parent.name for file in HERE.glob("*/asked.json"))


def load(case: str, name: str) -> Json:
    return json.loads((HERE / case / name).read_text(encoding="utf-8"))


def translation(case: str) -> Translation:
    asked = load(case, "asked.json")
    found = between(asked["client"], asked["server"], asked["body"], "house")
    assert found is not None
    return found


def derived(case: str) -> dict[str, str]:
    """What follows from a case: each golden and the text it must hold."""
    found = translation(case)
    with patch.object(anthropic, "time", lambda: 1_700_000_000):
        answer = found.response(load(case, "reply.json"))
    return {
        "request.json": _written(found.request),
        "answer.json": _written(answer),
        "answer.sse": streamed(case, 1 << 20),
    }


def streamed(case: str, size: int) -> str:
    """The translated stream of a case whose reply comes in pieces of `size` bytes."""
    stream = translation(case).stream()
    reply = (HERE / case / "reply.sse").read_bytes()
    with patch.object(anthropic, "time", lambda: 1_700_000_000):
        told = [stream.feed(reply[i : i + size]) for i in range(0, len(reply), size)]
    return b"".join([*told, stream.end()]).decode()


def _written(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for case in CASES:
        for name, text in derived(case).items():
            (HERE / case / name).write_text(text, encoding="utf-8", newline="\n")
