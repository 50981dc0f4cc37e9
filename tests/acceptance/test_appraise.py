"""`appraise`: for people who have nothing but a log. Each log here is written by its test."""
# ruff: noqa: S311 - seeded chance, no secrets

import csv
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from feilun.appraise import Appraisal, Choice, Options, appraise, render, to_json
from feilun.appraise.shape import TaskReport
from feilun.errors import InputError

WORDS = {
    "billing": ["invoice", "charge", "refund", "payment", "bill", "paid", "fee", "receipt"],
    "technical": ["crash", "error", "login", "app", "screen", "button", "update", "bug"],
    "shipping": ["parcel", "courier", "late", "delivery", "address", "tracking", "box", "order"],
}
CHINESE = {
    "正面": ["好吃", "很快", "满意", "喜欢", "新鲜", "推荐"],
    "负面": ["难吃", "太慢", "失望", "冷了", "不新鲜", "差评"],
}
SYSTEM = "You sort mail for a shop. Answer with one of: billing, technical, shipping."


def mail(rng: random.Random, noise: float = 0.0) -> tuple[str, str]:
    """A mail that shows its label, and an answer that is wrong with probability `noise`."""
    label = rng.choice(list(WORDS))
    shown = rng.choices(WORDS[label], k=4)
    filler = ["".join(rng.choices("abcdefghijklmnop", k=5)) for _ in range(4)]
    wrong = rng.random() < noise
    said = rng.choice([other for other in WORDS if other != label]) if wrong else label
    return " ".join(rng.sample(shown + filler, 8)), said


def review(rng: random.Random) -> tuple[str, str]:
    label = rng.choice(list(CHINESE))
    filler = "".join(rng.choices("的了我他在有这个上们来到时大地为子中你说", k=10))
    return "，".join([*rng.choices(CHINESE[label], k=3), filler]), label


def chat(text: str, said: str, system: str = "", at: int | None = None) -> dict[str, object]:
    messages = [{"role": "system", "content": system}] if system else []
    reply: dict[str, object] = {
        "choices": [{"message": {"role": "assistant", "content": said}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 5},
    }
    if at is not None:
        reply["created"] = at
    return {
        "request": {"model": "m", "messages": [*messages, {"role": "user", "content": text}]},
        "response": reply,
    }


def log(tmp_path: Path, rows: list[dict[str, object]] | Iterator[dict[str, object]]) -> Path:
    path = tmp_path / "mails.jsonl"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def only(appraisal: Appraisal) -> TaskReport:
    (task,) = appraisal.tasks
    return task


def counted(appraisal: Appraisal) -> int:
    return sum(task.rows for task in appraisal.tasks) + sum(b.rows for b in appraisal.broken)


def test_a_log_of_clear_labels_gets_a_certificate_of_agreement(tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = (chat(*mail(rng), SYSTEM, at=1_700_000_000 + 60 * n) for n in range(1200))
    appraisal = appraise(log(tmp_path, rows))
    task = only(appraisal)
    assert (task.verdict, task.bounds, task.order) == ("certified", "agreement", "time")
    assert task.coverage is not None
    assert task.coverage > 0.9
    assert task.served_loss_upper is not None
    assert task.served_loss_upper <= task.bound
    assert task.holdout is not None
    assert task.holdout.loss is not None
    assert task.holdout.loss <= 0.05
    assert task.missing is None
    assert task.saving is not None
    assert task.saving.per_1000_calls is None  # no price was stated, none is guessed
    assert task.saving.why is not None
    assert task.labels == ["billing", "shipping", "technical"]
    assert counted(appraisal) == appraisal.rows == 1200


def test_saving_is_what_tokens_cost_at_the_stated_prices(tmp_path: Path) -> None:
    rng = random.Random(2)
    prices = tmp_path / "prices.toml"
    prices.write_text(
        'currency = "EUR"\n[prices]\n'
        '"teacher:input_token" = { amount = "2", per = 100, source = "test", since = 2026-01-01 }\n'
        '"teacher:output_token" = { amount = "1", per = 5, source = "test", since = 2026-01-01 }\n'
        '"student:second" = { amount = "0", source = "test", since = 2026-01-01 }\n'
    )
    rows = (chat(*mail(rng), SYSTEM, at=1_700_000_000 + 864 * n) for n in range(1000))
    appraisal = appraise(log(tmp_path, rows), Options(prices=prices))
    saving = only(appraisal).saving
    assert saving is not None
    assert saving.currency == "EUR"
    assert saving.teacher_per_1000_calls == 3000  # 100 tokens in: 2, 5 out: 1
    assert saving.per_1000_calls is not None
    assert float(saving.per_1000_calls) == pytest.approx(3000 * saving.served_share)
    assert saving.period == saving.per_1000_calls  # the log holds 1,000 calls
    assert saving.days == pytest.approx(9.99)
    assert appraisal.prices is not None
    assert [item.item for item in appraisal.prices.items] == [
        "teacher:input_token",
        "teacher:output_token",
        "student:second",
    ]


def test_three_interleaved_tasks_are_judged_each_for_itself(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = []
    for n in range(600):
        text, said = mail(rng)
        dressed = rng.choice([said, said.upper(), said + ".", json.dumps({"label": said})])
        rows.append(chat(text, dressed, SYSTEM))
        comment, feeling = review(rng)
        rows.append(chat(f"判断评论的情感，只答正面或负面。\n评论：{comment}", feeling))
        rows.append(chat(f"Summarise this mail: {text}", f"{n}: the writer says {text}"))
    appraisal = appraise(log(tmp_path, rows))
    verdicts = sorted((task.kind, task.verdict, task.rows) for task in appraisal.tasks)
    assert verdicts == [
        ("free_text", "not_judged", 600),
        ("labels", "certified", 600),
        ("labels", "certified", 600),
    ]
    assert counted(appraisal) == 1800
    unjudged = next(task for task in appraisal.tasks if task.verdict == "not_judged")
    assert unjudged.missing is not None
    assert unjudged.missing.says.startswith("Not judged yet")
    assert len({task.name for task in appraisal.tasks}) == 3


def test_noise_is_refused_and_more_rows_are_not_asked_for(tmp_path: Path) -> None:
    rng = random.Random(4)
    rows = (chat(mail(rng)[0], rng.choice(list(WORDS)), SYSTEM) for _ in range(1200))
    task = only(appraise(log(tmp_path, rows)))
    assert (task.verdict, task.coverage) == ("refused", 0.0)
    assert task.missing is not None
    assert task.missing.rows is None


def test_few_rows_are_refused_with_how_many_are_missing(tmp_path: Path) -> None:
    rng = random.Random(5)
    task = only(appraise(log(tmp_path, (chat(*mail(rng), SYSTEM) for _ in range(60)))))
    assert task.verdict == "refused"
    assert task.missing is not None
    assert task.missing.why == "too_few_rows"
    assert task.missing.rows is not None
    assert 50 < task.missing.rows < 2000


def test_the_rows_asked_for_are_enough(tmp_path: Path) -> None:
    rng = random.Random(6)
    short = only(appraise(log(tmp_path, (chat(*mail(rng), SYSTEM) for _ in range(100)))))
    assert short.missing is not None
    assert short.missing.rows is not None
    total = 100 + short.missing.rows
    task = only(appraise(log(tmp_path, (chat(*mail(rng), SYSTEM) for _ in range(total)))))
    assert task.verdict == "certified"


def test_rows_repeated_ten_times_prove_no_more_than_once(tmp_path: Path) -> None:
    rng = random.Random(7)
    once = [chat(*mail(rng), SYSTEM) for _ in range(90)]
    repeated = once * 10
    rng.shuffle(repeated)
    task = only(appraise(log(tmp_path, repeated)))
    assert task.verdict == "refused"
    assert (task.inputs, task.repeats) == (90, 810)
    assert task.n <= 45


def test_an_input_that_is_often_logged_and_wrong_takes_the_certificate_away(
    tmp_path: Path,
) -> None:
    rng = random.Random(8)
    rows = [chat(*mail(rng), SYSTEM) for _ in range(1200)]
    # In a hundred places the same mail, each time with the answer that its words deny.
    for place in range(700, 1900, 3):
        rows.insert(place, chat("invoice refund payment bill fee", "technical", SYSTEM))
    task = only(appraise(log(tmp_path, rows)))
    assert task.verdict == "refused" or (task.calls_loss is not None and task.calls_loss <= 0.05)


def test_constant_answers_are_refused_because_a_rule_would_do(tmp_path: Path) -> None:
    rng = random.Random(9)
    task = only(appraise(log(tmp_path, (chat(mail(rng)[0], "OK", SYSTEM) for _ in range(500)))))
    assert task.verdict == "refused"
    assert task.missing is not None
    assert task.missing.why == "one_label"


def test_gold_in_some_rows_bounds_correctness_and_shows_the_teachers_error(tmp_path: Path) -> None:
    rng = random.Random(10)
    rows: list[dict[str, object]] = []
    for _ in range(2500):
        text, right = mail(rng)
        wrong = rng.choice([label for label in WORDS if label != right])
        said = wrong if rng.random() < 0.15 else right
        rows.append({"input": text, "output": said})
        if rng.random() < 0.4:
            rows[-1]["gold"] = right
    task = only(appraise(log(tmp_path, rows)))
    assert (task.verdict, task.bounds) == ("certified", "correctness")
    assert task.teacher is not None
    assert task.teacher.error_low < 0.15 < task.teacher.error_high
    assert any("drawn at random" in note for note in task.notes)


def test_a_sentence_among_labels_is_left_out_named_and_counts_as_lost(tmp_path: Path) -> None:
    rng = random.Random(11)
    rows = [chat(*mail(rng), SYSTEM) for _ in range(1000)]
    for n in range(0, 1000, 4):
        text, _ = mail(rng)
        rows[n] = chat(text, f"I am sorry, I cannot say for sure what {text} is about.", SYSTEM)
    task = only(appraise(log(tmp_path, rows)))
    (left,) = task.left_out
    assert (left.reason, left.rows, left.lines[:3]) == ("rare_answer", 250, [1, 5, 9])
    assert len(left.lines) == 20
    assert task.verdict == "refused"  # a student cannot know which: one in four would be lost


def test_calls_with_tools_or_images_are_left_out_and_lower_the_coverage(tmp_path: Path) -> None:
    rng = random.Random(12)
    rows = [chat(*mail(rng), SYSTEM) for _ in range(1000)]
    image = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": image}]
    rows += [{"messages": messages, "response": "billing"} for _ in range(250)]
    task = only(appraise(log(tmp_path, rows)))
    assert [(left.reason, left.rows) for left in task.left_out] == [("media", 250)]
    assert task.coverage is not None
    assert 0.5 < task.coverage <= 0.8


def test_a_table_with_chinese_names_is_judged(tmp_path: Path) -> None:
    rng = random.Random(13)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["时间", "输入", "标签", "人工"])
    for n in range(1000):
        text, label = review(rng)
        writer.writerow([f"2026/03/{n % 28 + 1} 10:00", text, label, label])
    path = tmp_path / "评论.csv"
    path.write_bytes(out.getvalue().encode("gb18030"))
    appraisal = appraise(path)
    task = only(appraisal)
    assert (task.name, task.verdict, task.bounds) == ("评论", "certified", "correctness")
    assert task.order == "time"
    assert appraisal.columns == {"time": "时间", "input": "输入", "output": "标签", "gold": "人工"}


def test_a_stricter_line_never_serves_more(tmp_path: Path) -> None:
    rng = random.Random(14)
    path = log(tmp_path, [chat(*mail(rng, noise=0.02), SYSTEM) for _ in range(1500)])
    served = [
        only(appraise(path, Options(max_loss=line))).coverage for line in (0.01, 0.03, 0.05, 0.1)
    ]
    assert served == sorted(served, key=lambda share: share or 0)
    assert served[0] == 0.0


def test_the_same_log_gives_the_same_appraisal(tmp_path: Path) -> None:
    rng = random.Random(15)
    path = log(tmp_path, [chat(*mail(rng), SYSTEM) for _ in range(400)])
    first, second = (appraise(path).model_dump() for _ in range(2))
    for said in (first, second):
        said["seconds"] = None
        for task in said["tasks"]:
            if task["saving"]:
                task["saving"]["why"] = task["saving"]["student_per_1000_calls"] = None
    assert first == second


def test_broken_rows_are_counted_and_named_and_a_log_of_nothing_else_is_refused(
    tmp_path: Path,
) -> None:
    rng = random.Random(16)
    path = log(tmp_path, [chat(*mail(rng), SYSTEM) for _ in range(50)])
    path.write_text(path.read_text() + "{oops\n" * 30 + '{"a": 1}\n' + '{"cut": ')
    appraisal = appraise(path)
    assert [(b.reason, b.rows) for b in appraisal.broken] == [("not_json", 31), ("no_input", 1)]
    assert appraisal.broken[0].lines == list(range(51, 71))
    assert counted(appraisal) == appraisal.rows == 82
    path.write_text("{oops\n[1]\n")
    with pytest.raises(InputError, match=r"no row can be used.*line 2.*line 1"):
        appraise(path)


@pytest.mark.parametrize(
    "options",
    [Options(max_loss=0.0), Options(max_loss=2.0), Options(confidence=0.2),
     Options(prices=Path("none.toml")), Options(columns=Choice(input="none"))],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: Options) -> None:
    path = tmp_path / "log.csv"
    path.write_text("text,label\na,b\n")
    with pytest.raises(InputError):
        appraise(path, options)


def test_the_json_has_the_documented_shape(tmp_path: Path) -> None:
    rng = random.Random(17)
    rows = [chat(*mail(rng), SYSTEM) for _ in range(1100)]
    rows += [chat(f"Summarise this mail: {mail(rng)[0]}", f"{n}") for n in range(40)]
    said = to_json(appraise(log(tmp_path, rows)))
    again = Appraisal.model_validate_json(said)
    assert to_json(again) == said
    body = json.loads(said)
    assert body["schema"] == "feilun.appraisal/1"
    assert {task["verdict"] for task in body["tasks"]} == {"certified", "not_judged"}


def test_every_key_of_the_json_is_described_in_both_languages() -> None:
    docs = Path(__file__).parents[2] / "docs" / "reference"
    keys = _keys(Appraisal.model_json_schema(by_alias=True))
    for name in ("appraise.md", "appraise.zh.md"):
        text = (docs / name).read_text(encoding="utf-8")
        assert [key for key in sorted(keys) if f"`{key}`" not in text] == []
        example = text.split("```json\n")[1].split("```")[0]
        Appraisal.model_validate_json(example)


def _keys(schema: dict[str, object]) -> set[str]:
    found: set[str] = set()
    for part in (schema, *schema.get("$defs", {}).values()):  # type: ignore[attr-defined]
        found |= set(part.get("properties", {}))
    return found


def test_a_person_reads_what_may_be_served_and_what_is_missing(tmp_path: Path) -> None:
    rng = random.Random(18)
    rows = [chat(*mail(rng), SYSTEM) for _ in range(1000)]
    rows += [chat(f"Summarise this mail: {mail(rng)[0]}", f"{n}") for n in range(40)]
    rows += [{"a": 1}]
    out = io.StringIO()
    told: list[tuple[int, int]] = []
    appraisal = appraise(
        log(tmp_path, rows), progress=lambda done, total: told.append((done, total))
    )
    render(appraisal, Console(file=out, width=160))
    for words in ("certified", "agreement with the log", "Not judged yet", "no input", "held out"):
        assert words in out.getvalue()
    assert told == sorted(told)
    assert told[-1] == (1000, 1000)
