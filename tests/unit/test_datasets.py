"""From calls and judgements to examples: who is believed, who trains, who certifies."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from kiosk_log import NOON, a_call, a_correction, an_audit, at, said

from feilun.datasets import Built, build, read_examples
from feilun.datasets.judged import teaches
from feilun.datasets.similar import near_any, same_key
from feilun.records import Audit, Call, Ended, Example, Feedback, digest, encode
from feilun.testing import MemoryStore
from feilun.testing.kiosk import KIOSK

CUT, UNTIL = at(100), at(200)


def built(
    calls: Sequence[Call],
    feedback: Sequence[Feedback] = (),
    audits: Sequence[Audit] = (),
) -> Built:
    return build(KIOSK, calls, feedback, audits, cut=CUT, until=UNTIL)


def only(examples: Sequence[Example]) -> Example:
    assert len(examples) == 1
    return examples[0]


# Who is believed


def test_a_later_correction_wins_and_is_counted() -> None:
    said = [a_correction("1", "fruit", 5), a_correction("1", "bakery", 9)]
    found = built([a_call("1")], said[::-1])
    assert only(found.train).output == "bakery"
    assert found.dataset.conflicts == 1


def test_of_two_corrections_at_one_moment_the_one_made_later_wins() -> None:
    said = [a_correction("1", "fruit", 5, id="01"), a_correction("1", "bakery", 5, id="02")]
    assert only(built([a_call("1")], said).train).output == "bakery"
    assert only(built([a_call("1")], said[::-1]).train).output == "bakery"


def test_the_same_correction_twice_is_no_conflict() -> None:
    said = [a_correction("1", "fruit", 5), a_correction("1", "fruit", 9)]
    assert built([a_call("1")], said).dataset.conflicts == 0


def test_a_correction_and_an_audit_that_disagree_are_a_conflict_and_the_correction_trains() -> None:
    found = built([a_call("1")], [a_correction("1", "fruit")], [an_audit("1", "bakery", 9)])
    assert found.dataset.conflicts == 1
    assert (only(found.train).output, only(found.train).source) == ("fruit", "correction")


def test_an_audit_by_a_person_outranks_a_later_one_by_the_teacher() -> None:
    audits = [an_audit("1", "fruit", 1, "person"), an_audit("1", "drinks", 9, "teacher")]
    example = only(built([a_call("1")], audits=audits).train)
    assert (example.output, example.source, example.judge) == ("fruit", "audit", "person")


def test_of_two_audits_by_people_the_later_one_counts() -> None:
    audits = [an_audit("1", "fruit", 9), an_audit("1", "bakery", 1)]
    assert only(built([a_call("1", 150)], audits=audits).calibration).output == "fruit"


def test_an_audit_outranks_an_acceptance() -> None:
    found = built([a_call("1")], [said("1", "accepted")], [an_audit("1", "fruit")])
    assert only(found.train).output == "fruit"


def test_what_a_person_accepted_trains_as_it_was_answered() -> None:
    example = only(built([a_call("1", by="student")], [said("1", "accepted")]).train)
    assert (example.output, example.source, example.judge) == ("drinks", "accepted", "person")


def test_what_was_rejected_without_a_better_word_teaches_nothing() -> None:
    assert built([a_call("1")], [said("1", "rejected")]).train == ()
    assert built([a_call("1")], [said("1", "accepted"), said("1", "rejected", 2)]).train == ()


def test_what_was_rejected_and_then_corrected_teaches_the_correction() -> None:
    feedback = [said("1", "rejected"), a_correction("1", "fruit", 2)]
    assert only(built([a_call("1")], feedback).train).output == "fruit"


def test_an_unjudged_answer_of_the_teacher_trains_and_is_marked_as_its_word() -> None:
    example = only(built([a_call("1")]).train)
    assert (example.source, example.judge) == ("teacher", "teacher")


def test_a_student_never_learns_from_an_unjudged_student() -> None:
    assert built([a_call("1", by="student")]).train == ()
    assert built([a_call("1", by="student")], [said("1", "outcome")]).train == ()


# Who certifies


def test_feedback_never_enters_the_calibration_side() -> None:
    found = built([a_call("1", 150)], [a_correction("1", "fruit", 160), said("1", "accepted", 170)])
    assert (found.train, found.calibration) == ((), ())


def test_an_audit_certifies_with_its_own_word_whatever_people_corrected() -> None:
    found = built(
        [a_call("1", 150)], [a_correction("1", "fruit", 160)], [an_audit("1", "bakery", 155)]
    )
    assert only(found.calibration).output == "bakery"


def test_the_cut_belongs_to_the_younger_side_and_the_end_to_neither() -> None:
    calls = [a_call("a", 99.9, "a"), a_call("b", 100, "b"), a_call("c", 200, "c")]
    found = built(calls, audits=[an_audit(call.id, minutes=150) for call in calls])
    assert [example.call for example in found.train] == ["a"]
    assert [example.call for example in found.calibration] == ["b"]


def test_what_is_said_from_the_end_on_is_not_heard() -> None:
    calls = [a_call("1", 0, "one"), a_call("2", 150, "two")]
    found = built(calls, [a_correction("1", "fruit", 200)], [an_audit("2", "fruit", 200)])
    assert only(found.train).source == "teacher"
    assert found.calibration == ()


def test_audits_at_different_rates_are_thinned_to_the_lowest() -> None:
    often = [a_call(f"often-{n}", 120, f"often {n}") for n in range(2000)]
    seldom = [a_call(f"seldom-{n}", 130, f"seldom {n}") for n in range(200)]
    audits = [an_audit(call.id, rate=0.5) for call in often]
    audits += [an_audit(call.id, rate=0.1) for call in seldom]
    found = built([*often, *seldom], audits=audits)
    kept = {example.call for example in found.calibration}
    assert found.dataset.rate == 0.1
    assert found.dataset.thinned == 2200 - len(kept)
    assert {call.id for call in seldom} <= kept
    # A fifth of 2,000, give or take five standard deviations of 18.
    assert 310 <= len(kept) - 200 <= 490


def test_audits_at_one_rate_are_all_kept() -> None:
    calls = [a_call(f"{n}", 120, f"line {n}") for n in range(50)]
    found = built(calls, audits=[an_audit(call.id) for call in calls])
    assert (len(found.calibration), found.dataset.thinned, found.dataset.rate) == (50, 0, 0.5)


def test_repeated_inputs_stay_on_the_calibration_side_because_traffic_repeats() -> None:
    calls = [a_call(f"{n}", 150, "tea") for n in range(3)]
    assert len(built(calls, audits=[an_audit(call.id) for call in calls]).calibration) == 3


# What is said twice


def test_an_input_said_again_trains_once_with_its_best_judged_and_latest_answer() -> None:
    calls = [
        a_call("1", 1, "Green Tea"),
        a_call("2", 2, "green  tea"),
        a_call("3", 3, "ｇｒｅｅｎ ｔｅａ "),
        a_call("4", 4, "green tea"),
    ]
    feedback = [a_correction("1", "fruit", 5), a_correction("2", "bakery", 6)]
    found = built(calls, feedback)
    assert (only(found.train).call, only(found.train).output) == ("2", "bakery")
    assert found.dataset.duplicates == 3


def test_training_lines_that_are_nearly_calibration_lines_give_way() -> None:
    twin = "please bring the croissants to the third table by the window"
    calls = [
        a_call("same", 1, "two bananas"),
        a_call("near", 2, f"{twin}!"),
        a_call("far", 3, "a notebook for the office"),
        a_call("x", 150, "Two  Bananas"),
        a_call("y", 151, twin),
    ]
    found = built(calls, audits=[an_audit("x"), an_audit("y")])
    assert [example.call for example in found.train] == ["far"]
    assert found.dataset.near_duplicates == 2
    assert len(found.calibration) == 2


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("green tea", "green tea", True),
        ("", "", True),
        ("茶", "茶", True),
        ("please bring croissants for table nine", "please bring croissants for table nin", True),
        ("lunch 45", "lunch 46", False),
        ("green tea", "black coffee", False),
        ("", "tea", False),
    ],
)
def test_nearness_is_four_fifths_of_the_trigrams(one: str, other: str, near: bool) -> None:
    assert near_any([one], [other]).tolist() == [near]


def test_nearness_agrees_with_counting_by_hand_on_many_lines() -> None:
    def grams(text: str) -> set[str]:
        padded = [f" {word} " for word in text.split()]
        return {word[i : i + 3] for word in padded for i in range(max(1, len(word) - 2))}

    keys = [f"order {n} {'tea' * (n % 4)} for table {n % 7}" for n in range(60)]
    others = [f"order {n} {'tea' * (n % 3)} for table {n % 5}" for n in range(30, 45)]
    expected = [
        any(
            5 * len(grams(key) & grams(other)) >= 4 * len(grams(key) | grams(other))
            for other in others
        )
        for key in keys
    ]
    assert near_any(keys, others).tolist() == expected
    assert 0 < sum(expected) < len(keys)


def test_structured_inputs_are_the_same_in_any_order_of_keys() -> None:
    assert same_key({"a": 1, "b": 2}) == same_key({"b": 2, "a": 1})


# What a dataset is


def test_the_same_log_gives_the_same_bytes_and_the_same_hash() -> None:
    def once() -> Built:
        calls = [a_call(f"{n}", n, f"line {n}") for n in range(150)]
        return built(calls, audits=[an_audit(f"{n}", id=f"a{n}") for n in range(0, 150, 3)])

    assert encode(once().dataset) == encode(once().dataset)
    assert once().blob == once().blob


@pytest.mark.parametrize(
    "change",
    [
        {"output": "fruit"},
        {"input": "black tea"},
        {"at": at(2)},
        {"id": "2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_log_gives_another_hash(change: dict[str, object]) -> None:
    call = a_call("1")
    changed = call.model_copy(update=change)
    assert built([call]).dataset.id != built([changed]).dataset.id


def test_another_window_gives_another_hash_even_over_the_same_examples() -> None:
    later = build(KIOSK, [a_call("1")], [], [], cut=CUT, until=UNTIL + timedelta(seconds=1))
    assert built([a_call("1")]).dataset.id != later.dataset.id


def test_every_example_names_its_call_and_the_blob_gives_both_sides_back() -> None:
    calls = [a_call(f"{n}", n, f"line {n}") for n in range(150)]
    found = built(calls, audits=[an_audit(f"{n}") for n in range(0, 150, 3)])
    store = MemoryStore()
    assert store.put(found.blob) == found.dataset.examples == digest(found.blob)
    assert read_examples(found.dataset, store.fetch) == (found.train, found.calibration)
    by_id = {call.id: call for call in calls}
    for example in (*found.train, *found.calibration):
        call = by_id[example.call]
        assert (example.input, example.at) == (call.input, call.at)


def test_an_empty_log_is_an_empty_dataset() -> None:
    found = built([])
    assert (found.train, found.calibration, found.blob) == ((), (), b"")
    assert found.dataset.rate == 0


def test_what_is_said_of_unknown_calls_is_left_alone() -> None:
    found = built([a_call("1")], [a_correction("2", "fruit")], [an_audit("3")])
    assert only(found.train).call == "1"
    assert found.dataset.conflicts == 0


def test_examples_stand_in_the_order_of_their_calls() -> None:
    calls = [a_call(f"{n}", -n, f"line {n}") for n in range(9)]
    moments = [example.at for example in built(calls).train]
    assert moments == sorted(moments)
    assert moments[-1] == NOON


def test_a_call_that_was_cut_off_or_kept_as_a_hash_teaches_nothing() -> None:
    whole = a_call("1")
    assert teaches(whole)
    assert not teaches(whole.model_copy(update={"ended": Ended.CLIENT_LEFT}))
    assert not teaches(whole.model_copy(update={"ended": Ended.ENGINE_BROKE}))
    assert not teaches(whole.model_copy(update={"kept": "hashed"}))
    assert teaches(whole.model_copy(update={"kept": "redacted"}))
