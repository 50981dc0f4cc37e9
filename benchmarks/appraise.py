"""How long `appraise` takes on 100,000 rows: the promise is under 60 s on two cores.

    python benchmarks/appraise.py [ROWS]

The log is made of recorded traffic where ../shared/data is at hand: Banking77 questions with
GPT-4's answers, CLINC150 intents, a summary task and a task of noise, interleaved, some
questions asked again. Elsewhere the rows are made up, and it says so.
"""

import csv
import json
import os
import platform
import random
import resource
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from rich.console import Console

from feilun.appraise import appraise, render

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
BANK = SHARED / "banking77-gpt4"
CLINC = SHARED / "clinc150" / "data_full.json"
BANK_SYSTEM = (
    "You are an intent classifier for a bank. Answer with the name of one intent, no more."
)
CLINC_HEAD = "Which of the assistant's 150 intents does this request have?\nRequest: "


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bank() -> list[tuple[str, str]]:
    names = {row["label"]: row["label_name"] for row in table(BANK / "fewshot_train.csv")}
    recorded = [*table(BANK / "test_answers.csv"), *table(BANK / "dev_answers.csv")]
    said = [(row["text"], names.get(row["gpt-label"], "unknown")) for row in recorded]
    return said + [(row["text"], row["category"]) for row in table(BANK / "gold_train.csv")]


def clinc() -> list[tuple[str, str]]:
    body = json.loads(CLINC.read_text(encoding="utf-8"))
    return [(text, label) for part in body.values() for text, label in part]


def made_up(rng: random.Random, labels: int, rows: int) -> list[tuple[str, str]]:
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(4000)]
    telling = [rng.sample(words, 12) for _ in range(labels)]
    found = []
    for _ in range(rows):
        label = rng.randrange(labels)
        text = rng.choices(telling[label], k=3) + rng.choices(words, k=8)
        found.append((" ".join(rng.sample(text, len(text))), f"label {label}"))
    return found


def calls(rng: random.Random, rows: int, real: bool) -> Iterator[tuple[str, str, str]]:
    """Endless (system, user, answer), in shares of 45, 35, 15 and 5 percent."""
    first = bank() if real else made_up(rng, 77, rows // 5)
    second = clinc() if real else made_up(rng, 150, rows // 4)
    rng.shuffle(first)
    rng.shuffle(second)
    for number in range(rows):
        share = number % 20
        text, label = first[number % len(first)]
        if share < 9:
            yield BANK_SYSTEM, text, label
        elif share < 16:
            text, label = second[number % len(second)]
            yield "", CLINC_HEAD + text, label
        elif share < 19:
            yield "", f"Summarise this message: {text}", f"In short ({number}): {text[:60]}"
        else:
            yield "", f"Guess the writer's mood today: {text}", rng.choice(["good", "bad", "calm"])


def write(path: Path, rows: int, real: bool) -> None:
    rng = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for number, (system, text, said) in enumerate(calls(rng, rows, real)):
            messages = [{"role": "user", "content": text}]
            if system:
                messages.insert(0, {"role": "system", "content": system})
            usage = {
                "prompt_tokens": (len(system) + len(text)) // 4,
                "completion_tokens": len(said) // 4 + 1,
            }
            reply = {
                "created": 1_760_000_000 + 20 * number,
                "choices": [{"index": 0, "message": {"role": "assistant", "content": said}}],
                "usage": usage,
            }
            row = {"request": {"model": "gpt-4", "messages": messages}, "response": reply}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main(rows: int) -> None:
    real = BANK.is_dir() and CLINC.is_file()
    if not real:
        print(f"{BANK} or {CLINC} is missing: the rows are made up.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        write(path, rows, real)
        size = path.stat().st_size / 1e6
        started = perf_counter()
        appraisal = appraise(path)
        seconds = perf_counter() - started
    render(appraisal, Console(width=150))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{datetime.now(UTC):%Y-%m-%d}: {rows:,} rows ({size:.0f} MB) in {seconds:.1f} s, "
        f"{rows / seconds:,.0f} rows/s, peak RSS {peak:,.0f} MiB, "
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
