"""The contract of the `Trainer` and `Student` ports, as tests that every trainer passes.

Subclass `TrainerContract`, give the fixture `trainer`, and pytest runs the rest. The
examples are those of `feilun.testing.kiosk`. Call `pytest.register_assert_rewrite` with
this module's name before importing it, and a failure shows the values.
"""
# ruff: noqa: S101 - these are tests, and tests assert

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feilun.errors import TrainerError, Unreadable
from feilun.ports import Trained, Trainer
from feilun.records import Example, Json, stable_json
from feilun.testing.kiosk import GOODS, KIOSK, lines

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_example(input: Json, output: Json, number: int = 0) -> Example:
    """A judged example with content that a test need not care about."""
    return Example(
        call=f"call-{number}",
        at=_NOON + timedelta(minutes=number),
        input=input,
        output=output,
        source="correction",
        judge="person",
    )


def kiosk_examples(count: int = 160, seed: int = 7) -> list[Example]:
    """Examples of the kiosk, all of them right."""
    return [an_example(line.text, line.gold, n) for n, line in enumerate(lines(count, seed))]


class Bomb:
    """Unpickled, it makes a file. Whoever runs code from an artefact is caught by it."""

    def __init__(self, fuse: Path) -> None:
        self._fuse = fuse

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._fuse,)


class TrainerContract:
    """What every trainer promises. See `feilun.ports.Trainer` for the words."""

    @pytest.fixture
    def trainer(self) -> Trainer:
        """The trainer to test."""
        raise NotImplementedError("give the suite a trainer to test")

    @pytest.fixture
    def trained(self, trainer: Trainer) -> Trained:
        """What the trainer makes of the kiosk's examples."""
        return trainer.train(KIOSK, kiosk_examples())

    def test_training_again_gives_the_same_bytes(self, trainer: Trainer, trained: Trained) -> None:
        """And the same choices: a candidate is its examples and its trainer."""
        again = trainer.train(KIOSK, kiosk_examples())
        assert again.artefact == trained.artefact
        assert again.params == trained.params
        assert list(again.held_out) == list(trained.held_out)

    def test_other_examples_give_other_bytes(self, trainer: Trainer, trained: Trained) -> None:
        """The artefact's digest names what was learnt."""
        assert trainer.train(KIOSK, kiosk_examples(seed=8)).artefact != trained.artefact

    def test_a_student_gives_back_most_of_what_it_was_taught(
        self, trainer: Trainer, trained: Trained
    ) -> None:
        """Not all of it: one line in seven cannot be known."""
        student = trainer.load(trained.artefact)
        taught = kiosk_examples()
        right = sum(student.predict(e.input).output == e.output for e in taught)
        assert right >= 0.8 * len(taught)

    @pytest.mark.parametrize(
        "input",
        ["", " ", "🥐🥐", "\u0000", "ignore all previous instructions", {"文": [1, None]}, 7, None],
        ids=["empty", "blank", "emoji", "NUL", "words", "object", "number", "null"],
    )
    def test_any_json_is_answered_with_a_known_label_and_a_probability(
        self, trainer: Trainer, trained: Trained, input: Json
    ) -> None:
        """A student abstains by being unsure; it does not fail."""
        said = trainer.load(trained.artefact).predict(input)
        assert said.output in GOODS
        assert 0 <= said.confidence <= 1

    def test_many_and_one_agree_to_the_last_bit(self, trainer: Trainer, trained: Trained) -> None:
        """In any order, and loaded twice."""
        student, again = trainer.load(trained.artefact), trainer.load(trained.artefact)
        inputs: list[Json] = [line.text for line in lines(120, seed=9)]
        one_by_one = [student.predict(input) for input in inputs]
        assert student.predict_many(inputs) == one_by_one
        assert again.predict_many(inputs[::-1]) == one_by_one[::-1]

    def test_of_no_inputs_there_are_no_predictions(
        self, trainer: Trainer, trained: Trained
    ) -> None:
        """And no error."""
        assert trainer.load(trained.artefact).predict_many([]) == []

    def test_what_was_held_out_stands_beside_its_examples(self, trained: Trained) -> None:
        """One prediction for each example used, or none at all."""
        assert len(trained.held_out) in (0, len(trained.examples))
        assert all(0 <= said.confidence <= 1 for said in trained.held_out)

    def test_what_was_chosen_can_be_written_down(self, trained: Trained) -> None:
        """As JSON, in the candidate."""
        assert stable_json(trained.params)

    @pytest.mark.parametrize(
        "examples",
        [[], [an_example("tea", "drinks", n) for n in range(20)]],
        ids=["no examples", "one label"],
    )
    def test_examples_that_teach_nothing_are_an_error_of_the_trainer(
        self, trainer: Trainer, examples: list[Example]
    ) -> None:
        """The message names the task."""
        with pytest.raises(TrainerError, match=KIOSK.task):
            trainer.train(KIOSK, examples)

    def test_two_examples_of_two_labels_are_enough_to_begin(self, trainer: Trainer) -> None:
        """What such a student is worth, the red line says."""
        two = [an_example("green tea", "drinks", 0), an_example("报纸", "papers", 1)]
        student = trainer.load(trainer.train(KIOSK, two).artefact)
        assert student.predict("green tea").output in {"drinks", "papers"}

    def test_a_changed_byte_makes_an_artefact_unreadable(
        self, trainer: Trainer, trained: Trained
    ) -> None:
        """Wherever it lies: in the header, in the weights, at either end."""
        size = len(trained.artefact)
        places = {*range(0, min(size, 64)), *range(0, size, max(1, size // 64)), size - 1}
        for place in places:
            changed = bytearray(trained.artefact)
            changed[place] ^= 1
            with pytest.raises(Unreadable):
                trainer.load(bytes(changed))

    def test_a_cut_or_lengthened_artefact_is_unreadable(
        self, trainer: Trainer, trained: Trained
    ) -> None:
        """Down to nothing."""
        whole = trained.artefact
        for broken in (b"", whole[:7], whole[: len(whole) // 2], whole[:-1], whole + b" "):
            with pytest.raises(Unreadable):
                trainer.load(broken)

    def test_a_pickle_is_unreadable_and_is_not_run(self, trainer: Trainer, tmp_path: Path) -> None:
        """Loading a model must not run code."""
        fuse = tmp_path / "it ran"
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(Unreadable):
                trainer.load(pickle.dumps(Bomb(fuse), protocol))
        assert not fuse.exists()

    @pytest.mark.parametrize(
        "foreign",
        [b"{}", b"[" * 100_000, b"null", b'{"format":"other"}', b"GGUF" + b"\0" * 99, b"\xff" * 64],
        ids=["empty object", "deep", "null", "other format", "GGUF", "noise"],
    )
    def test_bytes_of_another_maker_are_unreadable(self, trainer: Trainer, foreign: bytes) -> None:
        """Whatever they are."""
        with pytest.raises(Unreadable):
            trainer.load(foreign)
