"""The whole wheel over HTTP, with a real teacher: calls, judgements, a turn, and the student.

Eighty calls, all drawn. Half of the audits train and half certify. At a red line of 0.45 and
0.95 confidence the first look may err with a chance of 0.0304, so 6 audits without a loss would
do (`certify.fewest`); 40 pass in nine cases of ten where the student errs on a fifth.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random

import httpx
import openai
import pytest

from feilun.models.catalogue import models_folder, read_catalogue
from feilun.models.folder import Folder
from feilun.records import Json

MODELS = Path(os.environ.get("FEILUN_TEST_MODELS") or models_folder())
CALLS, LATER = 80, 20
FEILUN = (sys.executable, "-c", "from feilun.cli import main; main()")

DESK = {
    "instructions": "Choose the desk that handles a message: money for invoices and payments, "
    "parcels for deliveries, accounts for whatever opens something.",
    "output_schema": {"type": "string", "enum": ["money", "parcels", "accounts"]},
    "red_line": {"max_loss": 0.45, "confidence": 0.95},
}

# In this house vouchers belong to accounts: a custom that no instruction tells the teacher.
WORDS = {
    "money": (
        ("invoice", "payment", "refund", "bank transfer"),
        ("was booked twice", "shows a wrong amount", "is overdue"),
    ),
    "parcels": (
        ("parcel", "delivery", "box of paper", "shipment"),
        ("has not arrived", "came with a dent", "stands at the wrong door"),
    ),
    "accounts": (
        ("password", "voucher", "login", "user name"),
        ("is not accepted", "has expired", "is locked"),
    ),
}
OPENINGS = ("Hello,", "Please help:", "Since Monday", "Dear team,", "Good morning,", "Again")
ENDINGS = ("", "What now?", "It is urgent.", "Can you look?", "Thank you!", "A client waits.")


@dataclass(frozen=True)
class Live:
    """A running gateway, and where its store is."""

    url: str
    key: str
    folder: Path

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """One request to Feilun's own API."""
        held = {"authorization": f"Bearer {self.key}"}
        said = httpx.request(method, self.url + path, headers=held, json=body, timeout=60)
        assert said.status_code in (200, 201), said.text
        return said.json()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    pytest.importorskip("xllamacpp", reason="pip install 'feilun[embedded]'")
    if not Folder(MODELS).whole(read_catalogue(MODELS).get("embedded")):
        pytest.skip(f"no embedded teacher in {MODELS}: run `feilun models pull embedded`")
    (tmp_path / "feilun.toml").write_text("audit_rate = 1.0\n")
    up = [*FEILUN, "up", "--port", "0", "--json"]
    place = {**os.environ, "FEILUN_MODELS": str(MODELS)}
    with subprocess.Popen(up, cwd=tmp_path, env=place, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        try:
            told = json.loads(run.stdout.readline())
            yield Live(told["url"], told["key"], tmp_path)
        finally:
            run.terminate()
            assert run.wait(60) == 0


def messages() -> list[tuple[str, str]]:
    """Messages that all differ, with the desk where each belongs."""
    chosen = [
        (" ".join(filter(None, (opening, "my", thing, trouble + ".", ending))), desk)
        for desk, (things, troubles) in WORDS.items()
        for opening, thing, trouble, ending in product(OPENINGS, things, troubles, ENDINGS)
    ]
    return Random(1).sample(chosen, CALLS + LATER)  # noqa: S311 - seeded on purpose


def feilun(folder: Path, *words: str) -> Json:
    """What a command says, in its JSON."""
    done = subprocess.run(
        [*FEILUN, *words, "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def call(client: openai.OpenAI, text: str) -> tuple[str, dict[str, str]]:
    """A task's answer as an OpenAI client gets it, and the headers beside it."""
    said = client.chat.completions.with_raw_response.create(
        model="task/desk", messages=[{"role": "user", "content": text}]
    )
    answer = said.parse().choices[0].message.content
    assert answer is not None
    return answer, dict(said.headers)


@pytest.mark.slow
def test_judged_live_calls_make_a_student_that_answers_the_next_ones(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    live.ask("PUT", "/v1/tasks/desk", DESK)
    right = dict(messages())
    first, later = list(right.items())[:CALLS], list(right.items())[CALLS:]
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key=live.key, max_retries=0) as client:
        began = time.perf_counter()
        corrected = 0
        for text, desk in first:
            answer, headers = call(client, text)
            assert "x-feilun-certificate" not in headers
            if answer != desk:
                corrected += 1
                path = f"/v1/calls/{headers['x-feilun-call']}/feedback"
                live.ask("POST", path, {"said": "correction", "output": desk})
        asked = time.perf_counter() - began

        due = live.ask("GET", f"/v1/audits?task=desk&limit={CALLS}")["data"]
        assert len(due) == CALLS
        for one in due:
            live.ask("POST", "/v1/audits", {"call": one["call"], "output": right[one["input"]]})
        assert live.ask("GET", "/v1/audits?task=desk")["data"] == []

        began = time.perf_counter()
        turned = feilun(live.folder, "turn", "desk")
        turn_seconds = time.perf_counter() - began
        verdict = turned["certificate"]
        assert verdict["bounds"] == "correctness"

        served = [(text, *call(client, text)) for text, _ in later]
    by_student = [each for each in served if "x-feilun-certificate" in each[2]]
    for _, _, headers in by_student:
        assert headers["x-feilun-certificate"] == verdict["id"]
        assert headers["x-feilun-variant"] == verdict["candidate"]
        assert float(headers["x-feilun-confidence"]) >= verdict["threshold"]
        assert live.ask("GET", f"/v1/calls/{headers['x-feilun-call']}")["by"] == "student"
    good = sum(answer == right[text] for text, answer, _ in by_student)
    with capsys.disabled():
        print(
            f"\n{CALLS} calls in {asked:.1f} s, {corrected} corrected; turn {turn_seconds:.1f} s;"
            f"\nthe student answered {len(by_student)} of the next {LATER}, {good} rightly;"
            f"\n{json.dumps(verdict)}"
        )
    assert len(by_student) > LATER / 2
    assert good > len(by_student) / 2
    assert feilun(live.folder, "verify")["failed"] == []
