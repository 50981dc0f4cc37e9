"""The tasks in a log are found by their prompts and by their answers."""
# ruff: noqa: S311 - seeded chance, no secrets

import random

import pytest

from feilun.appraise.discover import Found, discover
from feilun.appraise.row import Row
from feilun.appraise.split import split
from feilun.discovery.answers import answers, reading

WORDS = [
    "card",
    "bank",
    "money",
    "refund",
    "lost",
    "order",
    "late",
    "parcel",
    "price",
    "cold",
    "soup",
    "phone",
    "app",
    "login",
    "fee",
]


def free(rng: random.Random, words: int = 8) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(3, words))) + f" {rng.randint(0, 10**6)}"


def found(prompts: list[tuple[str, str, str]]) -> dict[str, Found]:
    rows = [
        Row(line=n, context=context, text=text, answer=said)
        for n, (context, text, said) in enumerate(prompts, 1)
    ]
    tasks = discover(rows, "log")
    assert sum(len(task.rows) for task in tasks) == len(rows)
    return {task.name: task for task in tasks}


@pytest.mark.parametrize(
    "text",
    ["Billing", "billing.", " BILLING\n", '"billing"', '{"category": "Billing"}', "**Billing**",
     "Category: billing", '```json\n{"label": "billing"}\n```', '["billing"]', "类别：billing",
     "「billing」。"],
)  # fmt: skip
def test_the_same_answer_in_another_dress_is_the_same(text: str) -> None:
    assert reading(text).form == "billing"


@pytest.mark.parametrize(("one", "other"), [("-1", "1"), ("yes", "no"), ("A", "B"), ("1.5", "15")])
def test_different_answers_stay_different(one: str, other: str) -> None:
    assert reading(one).form != reading(other).form


def test_an_object_of_several_fields_is_no_label() -> None:
    said = [(f"q{n}", f'{{"label": "a", "sure": {n % 3}}}') for n in range(50)]
    assert answers(said).kind == "fields"


def test_one_sentence_among_labels_does_not_open_the_set() -> None:
    said = [(f"q{n}", "yes" if n % 2 else "no") for n in range(50)]
    kinds = answers([*said, ("q", "I am sorry, but I cannot tell that from what you wrote here.")])
    assert (kinds.kind, sorted(kinds.labels)) == ("labels", ["no", "yes"])


def test_answers_repeated_with_their_rows_are_no_closed_set() -> None:
    rows = [(f"q{n}", f"a summary of thing {n}") for n in range(50)] * 10
    assert answers(rows).kind == "free_text"


def test_three_interleaved_tasks_without_a_system_prompt_are_told_apart() -> None:
    rng = random.Random(1)
    prompts = []
    for _ in range(150):
        prompts += [
            ("", f"Classify this email: {free(rng)}", rng.choice(["billing", "technical"])),
            (
                "",
                f"这句话的情感是正面还是负面？\n句子：{free(rng)}\n答案：",
                rng.choice(["正面", "负面"]),
            ),
            ("", f"Summarise in one line:\n{free(rng, 20)}", f"It says {free(rng)}"),
        ]
    tasks = found(prompts)
    assert sorted((task.kind, len(task.rows)) for task in tasks.values()) == [
        ("free_text", 150),
        ("labels", 150),
        ("labels", 150),
    ]
    assert not any("Classify" in u.row.text for u in tasks["classify-email"].units)
    chinese = next(t for name, t in tasks.items() if "情感" in name)
    assert not any("答案" in u.row.text or "句子" in u.row.text for u in chinese.units)


def test_a_question_after_the_text_is_found_too() -> None:
    rng = random.Random(2)
    prompts = [
        ("", f"{free(rng)}\n\n{ask}", rng.choice(said))
        for _ in range(100)
        for ask, said in (
            ("Is this message spam? Answer yes or no.", ["yes", "no"]),
            ("How urgent is this message? Answer low or high.", ["low", "high"]),
        )
    ]
    tasks = found(prompts)
    assert len(tasks) == 2
    assert not any("Answer" in u.row.text for t in tasks.values() for u in t.units)


def test_a_system_prompt_with_a_date_is_one_task() -> None:
    rng = random.Random(3)
    prompts = [
        (
            f"You sort mail for a bank. Today is 2026-05-{n % 28 + 1:02}.",
            free(rng),
            rng.choice("ab"),
        )
        for n in range(200)
    ]
    assert [len(task.rows) for task in found(prompts).values()] == [200]


def test_a_system_prompt_that_holds_the_text_itself_is_one_task() -> None:
    rng = random.Random(4)
    prompts = [
        (f"You label mail. The mail is:\n{free(rng)}", "Label it.", rng.choice(["a", "b"]))
        for _ in range(200)
    ]
    (task,) = found(prompts).values()
    assert len({unit.key for unit in task.units}) > 190
    assert not any("You label" in unit.row.text for unit in task.units)


def test_two_system_prompts_are_two_tasks_though_their_answers_are_the_same() -> None:
    rng = random.Random(5)
    systems = ["Say yes if the mail is spam, else no.", "Is the writer angry? Say yes or no."]
    prompts = [(systems[n % 2], free(rng), rng.choice(["yes", "no"])) for n in range(200)]
    assert [len(task.rows) for task in found(prompts).values()] == [100, 100]


def test_inputs_that_begin_alike_are_no_tasks_of_their_own() -> None:
    rng = random.Random(6)
    kinds = {"Taxi": "transport", "Lunch": "food", "Rent": "home", "Cinema": "fun"}
    prompts = [
        ("", f"{word}: {free(rng)}", kinds[word]) for word in rng.choices(list(kinds), k=400)
    ]
    assert len(found(prompts)) == 1


def test_free_questions_are_one_task() -> None:
    rng = random.Random(7)
    starts = ["How do I", "What is the", "I want to", "Can you", "Where is my", "Why was I"]
    prompts = [
        ("", f"{rng.choice(starts)} {free(rng)}?", rng.choice(["a", "b", "c"])) for _ in range(600)
    ]
    assert len(found(prompts)) == 1


def test_named_tasks_keep_their_names_and_lose_the_shared_head() -> None:
    rng = random.Random(8)
    rows = [
        Row(line=n, text=f"Classify this: {free(rng)}", answer=rng.choice("ab"), task="Mail Kind")
        for n in range(100)
    ]
    (task,) = discover(rows, "log")
    assert task.name == "mail-kind"
    assert not any("Classify" in unit.row.text for unit in task.units)


def test_a_yes_or_no_gold_column_is_resolved() -> None:
    rng = random.Random(9)
    rows = [
        Row(line=n, text=free(rng), answer=rng.choice(["red", "blue"]), gold=rng.choice(["1", "0"]))
        for n in range(100)
    ]
    (task,) = discover(rows, "log")
    assert {unit.gold for unit in task.units} == {"red", "blue", "(judged wrong)"}
    assert set(task.labels) == {"red", "blue"}


def test_no_input_stands_on_two_sides_and_training_is_older() -> None:
    rng = random.Random(10)
    rows = [
        Row(line=n, text=f"{rng.randint(0, 3000)} {free(rng)}"[:6], answer=rng.choice("ab"))
        for n in range(1, 6000)
    ]
    (task,) = discover(rows, "log")
    sides = split(task.units, gold=False, max_loss=0.05, confidence=0.95, limit=5000)
    held = [{u.key for u in side} for side in (sides.train, sides.calibration, sides.holdout)]
    assert all(held)
    assert not held[0] & held[1]
    assert not held[1] & held[2]
    assert not held[0] & held[2]
    assert sides.train[-1].row.line < sides.calibration[0].row.line < sides.holdout[0].row.line
    assert sum(sides.calls.values()) == len(rows)


@pytest.mark.parametrize("how", ["answer", "input", "arrival"])
def test_a_file_that_is_sorted_is_shuffled_and_says_so(how: str) -> None:
    rng = random.Random(11)
    pairs = [(free(rng), rng.choice(["a", "b", "c"])) for _ in range(500)]
    if how != "arrival":
        pairs.sort(key=lambda pair: pair[how == "answer"])
    rows = [Row(line=n, text=text, answer=said) for n, (text, said) in enumerate(pairs, 1)]
    (task,) = discover(rows, "log")
    sides = split(task.units, gold=False, max_loss=0.05, confidence=0.95, limit=1000)
    assert sides.order == ("file" if how == "arrival" else "shuffled")
    assert {unit.right for unit in sides.calibration} == {"a", "b", "c"}
