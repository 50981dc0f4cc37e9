"""The linear student: what the trainer's contract leaves to each kind of student."""

from statistics import median
from time import perf_counter

import numpy as np
import pytest

from feilun.errors import TrainerError, Unreadable
from feilun.ports import Trained
from feilun.records import Shot
from feilun.testing.contracts_trainer import an_example, kiosk_examples
from feilun.testing.kiosk import KIOSK, USUAL, lines
from feilun.training import expect
from feilun.training.artefact import pack, unpack
from feilun.training.linear import LinearStudent, LinearTrainer


@pytest.fixture(scope="module")
def trained() -> Trained:
    return LinearTrainer().train(KIOSK, kiosk_examples(400))


@pytest.fixture(scope="module")
def student(trained: Trained) -> LinearStudent:
    return LinearTrainer().load(trained.artefact)


def test_it_is_right_on_lines_it_has_not_seen_and_unsure_of_those_nobody_can_know(
    student: LinearStudent,
) -> None:
    unseen = lines(400, seed=11)
    said = student.predict_many([line.text for line in unseen])
    usual = [any(word in line.text for word in USUAL) for line in unseen]
    right = [one.output == line.gold for one, line in zip(said, unseen, strict=True)]
    known = [ok for ok, is_usual in zip(right, usual, strict=True) if not is_usual]
    assert np.mean(known) > 0.95
    sure = [one.confidence for one, is_usual in zip(said, usual, strict=True) if not is_usual]
    unsure = [one.confidence for one, is_usual in zip(said, usual, strict=True) if is_usual]
    assert median(unsure) < 0.85 < 0.95 < median(sure)


def test_it_serves_chinese_as_well_as_english(student: LinearStudent) -> None:
    assert student.predict("来两个面包").output == "bakery"
    assert student.predict("two loaves, a toast loaf").output == "bakery"


def test_a_label_that_was_never_taught_is_never_said() -> None:
    taught = [example for example in kiosk_examples(200) if example.output != "papers"]
    student = LinearTrainer().load(LinearTrainer().train(KIOSK, taught).artefact)
    said = student.predict_many([line.text for line in lines(100, seed=5)])
    assert {one.output for one in said} == {"drinks", "fruit", "bakery"}


def test_labels_outside_the_tasks_closed_set_are_not_learnt() -> None:
    examples = [*kiosk_examples(60), an_example("green tea", "no such shelf", 99)]
    trained = LinearTrainer().train(KIOSK, examples)
    header, _ = unpack("feilun.linear/1", trained.artefact)
    assert "no such shelf" not in header["labels"]


def test_the_tasks_own_shots_are_learnt_from() -> None:
    task = KIOSK.model_copy(update={"shots": (Shot(input="kombucha", output="drinks"),)})
    taught = LinearTrainer().load(LinearTrainer().train(task, kiosk_examples(60)).artefact)
    untaught = LinearTrainer().load(LinearTrainer().train(KIOSK, kiosk_examples(60)).artefact)
    said = taught.predict("kombucha")
    assert said.output == "drinks"
    assert said != untaught.predict("kombucha")


def test_a_teacher_that_is_often_wrong_is_trusted_less_than_people_are() -> None:
    taught = kiosk_examples(300)
    misled = [
        e.model_copy(update={"output": "papers", "judge": "teacher", "source": "teacher"})
        for e in taught[:150]
    ]
    assert LinearTrainer().train(KIOSK, [*misled, *taught[150:]]).params["trust"] < 1
    assert LinearTrainer().train(KIOSK, taught).params["trust"] == 1


def test_at_most_the_youngest_examples_are_used() -> None:
    examples = kiosk_examples(120)
    youngest = LinearTrainer().train(KIOSK, examples[-50:])
    assert LinearTrainer(limit=50).train(KIOSK, examples).artefact == youngest.artefact


def test_a_megabyte_of_text_is_answered(student: LinearStudent) -> None:
    said = student.predict("green tea " * 100_000)
    assert said.output == "drinks"
    assert 0 <= said.confidence <= 1


def test_a_text_of_which_nothing_is_known_gets_little_confidence(student: LinearStudent) -> None:
    for strange in ("", "🥟🥟🥟", "ЖЖЖЖЖ", "ﷺﷺﷺ"):
        assert student.predict(strange).confidence < 0.8


def test_a_warm_student_answers_one_line_within_milliseconds(student: LinearStudent) -> None:
    # The 1 ms of the design is measured in benchmarks/; here a loop of rebuilding would show.
    texts = [line.text for line in lines(100, seed=3)]
    seconds = []
    for text in texts:
        started = perf_counter()
        student.predict(text)
        seconds.append(perf_counter() - started)
    assert median(seconds) < 0.02


def test_an_artefact_of_a_trainer_with_another_embedder_is_refused(trained: Trained) -> None:
    header, arrays = unpack("feilun.linear/1", trained.artefact)
    foreign = pack("feilun.linear/1", {**header, "trainer": "linear+onnx-1"}, arrays)
    with pytest.raises(Unreadable, match=r"linear\+onnx-1.*'linear'"):
        LinearTrainer().load(foreign)


def test_a_sealed_artefact_that_lacks_a_part_is_unreadable(trained: Trained) -> None:
    header, arrays = unpack("feilun.linear/1", trained.artefact)
    del arrays["bias"]
    with pytest.raises(Unreadable, match="bias"):
        LinearTrainer().load(pack("feilun.linear/1", header, arrays))


def test_too_few_labels_say_how_many_there_are_and_what_to_do() -> None:
    with pytest.raises(TrainerError, match=r"1 examples show 1 labels.*Collect more"):
        LinearTrainer().train(KIOSK, [an_example("tea", "drinks")])


def test_what_it_expects_of_itself_comes_near_what_it_does(
    trained: Trained, student: LinearStudent
) -> None:
    unseen = lines(1000, seed=12)
    said = student.predict_many([line.text for line in unseen])
    surest = sorted(zip(said, unseen, strict=True), key=lambda row: -row[0].confidence)
    for point in expect(KIOSK, trained):
        taken = surest[: round(point.coverage * len(surest))]
        loss = np.mean([one.output != line.gold for one, line in taken])
        assert point.loss == pytest.approx(loss, abs=0.06)


def test_expectations_are_of_audits_alone_where_there_are_enough() -> None:
    examples = kiosk_examples(160)
    audits = [e.model_copy(update={"source": "audit"}) for e in examples[:60]]
    mixed = LinearTrainer().train(KIOSK, [*examples[60:], *audits])
    rows = list(zip(mixed.examples, mixed.held_out, strict=True))
    wrong = [said.output != e.output for e, said in rows if e.source == "audit"]
    assert expect(KIOSK, mixed)[-1].loss == pytest.approx((sum(wrong) + 0.5) / 61, abs=1e-6)


def test_a_trainer_that_holds_nothing_out_expects_nothing() -> None:
    assert expect(KIOSK, Trained(b"", {}, kiosk_examples(4), [])) == ()
