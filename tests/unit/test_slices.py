"""Slices: how calls are cut, what a certificate tells of them, and the line held in each."""

from collections.abc import Sequence

import numpy as np
import pytest
from kiosk_log import NOON, Stand, a_call, an_audit, at, moved
from scipy.stats import binomtest

from feilun import datasets, release
from feilun.answer import Answerer, Asked
from feilun.certify import budget, fewest, judge
from feilun.certify.slices import FEWEST, MOST, _slice, plan_slices
from feilun.errors import TaskError
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Example,
    Expected,
    Json,
    Record,
    RedLine,
    Refusal,
    Slice,
    Slicing,
    Task,
    WhyRefused,
    WhyTeacher,
)
from feilun.tasks import declare, language, slice_of, threshold_of, thresholds, ways
from feilun.testing import FakeClock, FakeEngine, FakeStudent, MemoryStore
from feilun.testing.contracts_trainer import an_example
from feilun.testing.kiosk import KIOSK
from feilun.verify import verify

LINE = RedLine(max_loss=0.1, confidence=0.9)
DELTA = budget(0.9, 1)
SURE = (Expected(coverage=0.8, loss=0.0), Expected(coverage=1.0, loss=0.005))


def kiosk(per: Slicing | None = None, **more: Json) -> Task:
    line = LINE.model_copy(update={"per": per, **more})
    return KIOSK.model_copy(update={"red_line": line})


# How calls are cut


@pytest.mark.parametrize(
    ("input", "said"),
    [
        ("green tea, please", "en"),
        ("给我两个面包", "zh"),
        ("给我两个 croissants", "mixed"),
        ("把这张 PDF 里面所有的表格都转换成电子表格然后发给我好吗谢谢你", "zh"),
        ("зелёный чай", "other"),
        ("おはようございます", "other"),
        ("12.50", "other"),
        ("", "other"),
        ({"title": "茶", "lines": ["绿茶", 3, None, "豆浆"]}, "zh"),
        (None, "other"),
    ],
)
def test_the_language_of_an_input_is_that_of_its_letters(input: Json, said: str) -> None:
    assert language(input) == said


def test_names_of_fields_and_what_comes_after_a_long_text_say_nothing_of_the_language() -> None:
    assert language({"a long english name": "茶"}) == "zh"
    assert language(["tea " * 5_000, "茶" * 100_000]) == "en"


def test_a_deep_input_has_a_language_too() -> None:
    deep: Json = "茶"
    for _ in range(100_000):
        deep = [deep]
    assert language(deep) == "zh"


def test_a_slice_is_named_by_what_it_is_cut_by() -> None:
    assert slice_of(Slicing.LABEL, "tea", "drinks", "acme") == "label:drinks"
    assert slice_of(Slicing.LANGUAGE, "茶", "drinks", "acme") == "language:zh"
    assert slice_of(Slicing.TENANT, "tea", "drinks", "acme") == "tenant:acme"
    assert slice_of(Slicing.TENANT, "tea", "drinks", None) == "tenant:"


def test_only_a_closed_set_of_answers_has_labels() -> None:
    assert Slicing.LABEL in ways(KIOSK)
    assert Slicing.LABEL not in ways(KIOSK.model_copy(update={"output_schema": {"type": "string"}}))


def test_a_line_per_label_needs_labels() -> None:
    line = RedLine(max_loss=0.1, per=Slicing.LABEL)
    with pytest.raises(TaskError, match=r"per = 'label'.*labels"):
        declare("kiosk.note", "Write a note.", {"type": "string"}, {"type": "string"}, line)


def test_a_slice_without_a_threshold_has_none() -> None:
    slices = {"label:fruit": 0.7}
    assert threshold_of(slices, "tea", "fruit", None) == 0.7
    assert threshold_of(slices, "tea", "drinks", None) is None
    assert threshold_of({}, "tea", "drinks", None) is None


# Who is served, in the examples


@pytest.mark.parametrize(
    ("facts", "tenant"),
    [({"tenant": "acme"}, "acme"), ({"tenant": "acme", "key": "k"}, "acme"), ({"key": "k"}, "k"),
     ({}, None)],
)  # fmt: skip
def test_an_example_says_who_was_served_else_who_asked(
    facts: dict[str, Json], tenant: str | None
) -> None:
    calls = [a_call("1", **facts)]
    built = datasets.build(KIOSK, calls, [], [an_audit("1")], cut=at(-1), until=at(9))
    assert [example.tenant for example in built.calibration] == [tenant]


# What a certificate tells


def verdict(
    task: Task,
    rows: Sequence[tuple[str, int, int]],
    *,
    expected: tuple[Expected, ...] = SURE,
    tenants: Sequence[str | None] = (None,),
) -> Certificate | Refusal:
    """Judge a student on rows of (what it says, how often, how often wrong): its unsurest."""
    table: dict[str, list[Json]] = {}
    calibration: list[Example] = []
    for label, count, wrong in rows:
        for number in range(count):
            other = "papers" if label != "papers" else "fruit"
            right = label if number < count - wrong else other
            text = f"{label} {number}"
            tenant = tenants[len(calibration) % len(tenants)]
            example = an_example(text, right, len(calibration))
            calibration.append(example.model_copy(update={"tenant": tenant}))
            table[f'"{text}"'] = [label, round(1 - number / 1000, 3)]
    dataset = Dataset(
        id="dataset", task=task.task, at=NOON, cut=NOON, until=NOON, examples="", train=0,
        calibration=len(calibration), rate=0.5, conflicts=0, duplicates=0, near_duplicates=0,
        thinned=0,
    )  # fmt: skip
    candidate = Candidate(
        id="candidate", task=task.task, at=NOON, dataset="dataset", trainer="fake", params={},
        artefact="", examples=9, expected=expected, seconds=0, device="cpu",
    )  # fmt: skip
    student = FakeStudent(table, ["drinks", 0.0])
    return judge(task, candidate, dataset, calibration, student, attempt=1)


def test_a_certificate_tells_of_its_slices_the_worst_first_with_exact_intervals() -> None:
    found = verdict(kiosk(), [("fruit", 200, 0), ("drinks", 100, 4)], tenants=["acme", "beta"])
    assert isinstance(found, Certificate)
    assert found.served == 300
    assert {one.name for one in found.slices} == {
        "label:fruit", "label:drinks", "tenant:acme", "tenant:beta",
    }  # fmt: skip
    worst = found.slices[0]
    exact = binomtest(4, 100).proportion_ci(method="exact")
    assert (worst.name, worst.audits, worst.served, worst.loss) == ("label:drinks", 100, 100, 0.04)
    assert (worst.loss_low, worst.loss_high) == pytest.approx((exact.low, exact.high))
    uppers = [one.loss_high for one in found.slices]
    assert uppers == sorted(uppers, reverse=True)
    assert {one.threshold for one in found.slices} == {None}
    assert found.slices_untold == 0


def test_a_cut_with_one_slice_is_not_told() -> None:
    found = verdict(kiosk(), [("fruit", 200, 0)])
    assert isinstance(found, Certificate)
    assert found.slices == ()


def test_a_slice_that_is_not_served_has_no_loss_and_comes_last() -> None:
    found = verdict(kiosk(Slicing.LABEL), [("fruit", 300, 3), ("drinks", 60, 30)])
    assert isinstance(found, Certificate)
    last = found.slices[-1]
    assert (last.name, last.audits, last.served, last.loss) == ("label:drinks", 60, 0, None)
    assert (last.loss_low, last.loss_high) == (0, 1)


def test_of_many_slices_the_worst_are_told_and_the_others_counted() -> None:
    found = verdict(
        kiosk(), [("fruit", 300, 2)], tenants=[f"tenant {number}" for number in range(30)]
    )
    assert isinstance(found, Certificate)
    assert (len(found.slices), found.slices_untold) == (MOST, 30 - MOST)
    assert found.slices[0].loss == 0.1  # a tenant with one of the two wrong ones


# The line per slice


def test_where_the_line_is_per_slice_each_that_holds_it_has_a_threshold_of_its_own() -> None:
    found = verdict(
        kiosk(Slicing.LABEL), [("fruit", 200, 0), ("drinks", 200, 100), ("bakery", 200, 60)]
    )
    assert isinstance(found, Certificate)
    own = thresholds(found.slices)
    assert own is not None
    assert {"label:fruit", "label:bakery", "label:drinks"} >= set(own) >= {"label:fruit"}
    assert own["label:fruit"] == 0.801  # all two hundred
    assert own.get("label:bakery", 1) > 0.85  # the wrong ones begin below 0.861
    assert found.threshold == min(own.values())
    served = [one for one in found.slices if one.threshold is not None]
    assert found.served == sum(one.served for one in served)
    assert found.coverage == found.served / 600
    assert all((one.loss or 0) <= LINE.max_loss for one in served)


def test_a_slice_that_loses_too_much_is_the_teachers_though_all_together_would_pass() -> None:
    rows = [("fruit", 300, 0), ("drinks", 60, 20)]
    whole, cut = verdict(kiosk(), rows), verdict(kiosk(Slicing.LABEL), rows)
    assert isinstance(whole, Certificate)
    assert isinstance(cut, Certificate)
    assert whole.served == 360
    assert thresholds(whole.slices) is None
    assert set(thresholds(cut.slices) or {}) == {"label:fruit"}
    assert cut.served == 300
    drinks = next(one for one in cut.slices if one.name == "label:drinks")
    assert (drinks.audits, drinks.served, drinks.threshold) == (60, 0, None)


def test_m_slices_share_the_budget_of_a_look() -> None:
    planned = plan_slices(SURE, ["a"] * 100 + ["b"] * 100 + ["c"] * (FEWEST - 1), 0.1, 0.06)
    assert planned.level == 0.03  # c is too small to be looked at, and takes no share
    assert set(planned.starts) == {"a", "b"}


def test_a_slice_too_small_to_pass_is_not_looked_at() -> None:
    need = fewest(LINE.max_loss, DELTA / 2)
    names = ["a"] * (3 * need) + ["b"] * (need - 1)
    assert need - 1 >= FEWEST
    assert set(plan_slices(SURE, names, LINE.max_loss, DELTA).starts) == {"a"}


def test_too_small_slices_are_a_refusal_that_looked_at_no_label_and_says_how_many_more() -> None:
    found = verdict(kiosk(Slicing.LABEL), [("fruit", 30, 30), ("drinks", 20, 20)])
    assert isinstance(found, Refusal)
    assert (found.why, found.delta, found.tested) == (WhyRefused.TOO_FEW_AUDITS, 0, 0)
    more = found.missing_audits or 0
    scaled = [("fruit", 30 * (50 + more) // 50, 0), ("drinks", 20 * (50 + more) // 50, 0)]
    assert isinstance(verdict(kiosk(Slicing.LABEL), scaled), Certificate)


def test_where_no_slice_holds_the_line_the_look_is_spent_and_the_nearest_is_told() -> None:
    found = verdict(kiosk(Slicing.LABEL), [("fruit", 100, 40), ("drinks", 100, 60)])
    assert isinstance(found, Refusal)
    assert (found.why, found.delta) == (WhyRefused.ABOVE_LINE, DELTA)
    assert 0 < found.tested <= 100


def test_no_audits_at_all_are_a_refusal_per_slice_too() -> None:
    found = verdict(kiosk(Slicing.TENANT), [])
    assert isinstance(found, Refusal)
    assert found.why == WhyRefused.TOO_FEW_AUDITS
    assert (found.missing_audits or 0) > 0


def test_one_tenant_alone_is_a_slice_where_the_line_is_per_tenant() -> None:
    found = verdict(kiosk(Slicing.TENANT), [("fruit", 200, 0)], tenants=["acme"])
    assert isinstance(found, Certificate)
    assert set(thresholds(found.slices) or {}) == {"tenant:acme"}


# Released and answered by slice

PROOF = verdict(kiosk(Slicing.LABEL), [("fruit", 200, 0), ("drinks", 200, 150)])


def released_proof() -> Certificate:
    assert isinstance(PROOF, Certificate)
    return PROOF


def test_a_release_serves_each_slice_at_its_own_threshold_and_no_other() -> None:
    moved = release.by_certificate(released_proof(), None, id="1", at=NOON)
    assert moved.slices == thresholds(released_proof().slices)
    student = FakeStudent(
        {'"sure"': ["fruit", 0.9], '"doubt"': ["fruit", 0.5], '"tea"': ["papers", 1.0]},
        ["drinks", 0.7],
    )
    teacher = FakeEngine(lambda _: "drinks")
    answerer = Answerer(kiosk(Slicing.LABEL), teacher, FakeClock(), lambda _: student)
    answerer.point(moved)
    said = [answerer.answer(text, audit_rate=0) for text in ("sure", "doubt", "tea")]
    assert [call.by for call in said] == ["student", "teacher", "teacher"]
    assert {call.why_teacher for call in said[1:]} == {WhyTeacher.UNSURE}  # papers were never seen


def test_a_tenant_is_served_where_his_slice_has_a_threshold_and_a_key_stands_in_for_him() -> None:
    certificate = released_proof()
    own = (Slice(name="tenant:acme", audits=9, served=9, loss=0, loss_low=0, loss_high=1,
                 threshold=0.5),)  # fmt: skip
    moved = release.by_certificate(
        certificate.model_copy(update={"slices": own}), None, id="1", at=NOON
    )
    student = FakeStudent({}, ["fruit", 0.7])
    answerer = Answerer(kiosk(Slicing.TENANT), None, FakeClock(), lambda _: student)
    answerer.point(moved)
    asked = [
        Asked("tea", tenant="acme"), Asked("tea", key="acme"), Asked("tea", tenant="beta"),
        Asked("tea"), Asked("tea", tenant="beta", key="acme"),
    ]  # fmt: skip
    begun = answerer.begin_many(asked, audit_rate=0)
    assert [one.why is None for one in begun] == [True, True, False, False, False]
    assert answerer.by_student(begun[0]).tenant == "acme"


@pytest.mark.parametrize(
    ("tested", "asked", "holds"),
    [
        (None, None, True),
        (Slicing.LABEL, Slicing.LABEL, True),
        (Slicing.LABEL, None, True),
        (None, Slicing.LABEL, False),
        (Slicing.TENANT, Slicing.LABEL, False),
    ],
)
def test_a_proof_per_slice_proves_the_whole_and_not_the_other_way_round(
    tested: Slicing | None, asked: Slicing | None, holds: bool
) -> None:
    assert release.proves(kiosk(tested), kiosk(asked)) is holds


def test_the_wheel_turns_with_a_line_per_slice_and_derives_the_same_again() -> None:
    stand = Stand(task=kiosk(Slicing.LABEL, max_loss=0.15), audit_rate=0.6)
    stand.serve(1200)
    turned = stand.turn()
    assert isinstance(turned.verdict, Certificate)
    assert turned.release is not None
    assert turned.release.slices == thresholds(turned.verdict.slices)
    served = [call for call in stand.serve(300) if call.by == "student"]
    assert served
    own = turned.release.slices or {}
    assert all((c.confidence or 0) >= own[f"label:{c.output}"] for c in served)
    assert [check.problem for check in verify(stand.house) if check.problem] == []
    again = stand.turn()  # serves no more of these calls, or is refused
    assert again.release is None or again.verdict.kind == "certificate"


def test_a_certificate_of_before_slices_were_told_is_derived_as_it_was() -> None:
    stand = Stand()
    stand.serve(930)
    stand.turn()
    other = MemoryStore()
    moved(stand, Without(other))
    (old,) = other.read(Certificate)
    assert old.slices == ()
    checks = list(verify(Stand(store=other, seed=3).house))
    assert [check.problem for check in checks if check.problem] == []


class Without:
    """A store to which certificates come as they once were, without slices."""

    def __init__(self, store: MemoryStore) -> None:
        self.put = store.put
        self._append = store.append

    def append(self, *records: Record) -> None:
        """The same, but for the slices."""
        bare = {"slices": (), "slices_untold": 0}
        old = [r.model_copy(update=bare) if r.kind == "certificate" else r for r in records]
        self._append(*old)


def test_slices_of_real_numbers_are_rounded_away_from_the_claim() -> None:
    losses = np.full(10, 0.25)
    everyone = np.ones(10, dtype=bool)
    one = _slice("label:x", everyone, everyone, losses, {})
    exact = [binomtest(k, 10).proportion_ci(method="exact") for k in (2, 3)]
    assert (one.loss_low, one.loss_high) == pytest.approx((exact[0].low, exact[1].high))
