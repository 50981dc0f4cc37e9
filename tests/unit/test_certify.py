"""The red line: what a look proves, what it spends, and what a refusal says is missing."""

import math
import warnings
from decimal import Decimal

import numpy as np
import pytest
from kiosk_log import NOON
from mapie.risk_control import BinaryClassificationController
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binomtest

from feilun.certify import budget, enough, fewest, interval, judge, look, next_attempt, plan
from feilun.certify.ltt import Found, _sequence
from feilun.errors import Unreadable
from feilun.ports import Prediction, Student
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Example,
    Expected,
    Json,
    Money,
    Refusal,
    WhyRefused,
)
from feilun.testing import FakeStudent
from feilun.testing.contracts_trainer import an_example
from feilun.testing.kiosk import KIOSK

LINE, CONFIDENCE = KIOSK.red_line.max_loss, KIOSK.red_line.confidence
DELTA = budget(CONFIDENCE, 1)
SURE = (Expected(coverage=0.5, loss=0.001), Expected(coverage=1.0, loss=0.005))
WEAK = (Expected(coverage=0.5, loss=0.2), Expected(coverage=1.0, loss=0.4))


def random_audits(seed: int) -> tuple[np.ndarray, np.ndarray, float, float, int]:
    """Confidences and losses that go together somewhat; a line, a level, a first set."""
    chance = np.random.default_rng(seed)
    n = int(chance.integers(30, 400))
    confidences = np.round(chance.random(n), 3)
    losses = (chance.random(n) < (1 - confidences) * 0.15).astype(float)
    line, delta = float(chance.choice([0.05, 0.1, 0.2])), float(chance.choice([0.05, 0.02]))
    return confidences, losses, line, delta, int(chance.integers(5, n // 2))


# The look


def by_hand(
    confidences: np.ndarray, losses: np.ndarray, line: float, delta: float, first: int
) -> float | None:
    """Fixed-sequence testing with whole numbers and exact sums, as slow as it is plain."""
    certified = None
    for threshold in _sequence(confidences, first):
        served = losses[confidences >= threshold]
        n, wrong = len(served), int(served.sum())
        chance = sum(math.comb(n, k) * line**k * (1 - line) ** (n - k) for k in range(wrong + 1))
        if chance > delta:
            break
        certified = float(threshold)
    return certified


def test_a_look_is_fixed_sequence_testing_with_exact_tails() -> None:
    outcomes = []
    for seed in range(120):
        audits = random_audits(seed)
        found = look(*audits)
        assert found.threshold == by_hand(*audits)
        outcomes.append(found.threshold)
    assert 20 <= sum(threshold is None for threshold in outcomes) <= 100


def mapie_says(
    confidences: np.ndarray, losses: np.ndarray, line: float, delta: float, first: int
) -> float | None:
    """The last threshold of MAPIE's own controller: precision at least 1 - line."""
    controller = BinaryClassificationController(
        lambda rows: np.c_[1 - rows[:, 0], rows[:, 0]],
        "precision",
        1 - line,
        confidence_level=1 - delta,
        list_predict_params=_sequence(confidences, first),
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where no threshold is valid
        controller.calibrate(confidences[:, None], (1 - losses).astype(int))
    valid = controller.valid_predict_params
    return float(valid[-1]) if len(valid) else None


def test_mapies_controller_of_precision_agrees() -> None:
    # MAPIE computes 1 - precision in floats and rounds the number of losses up, so now and
    # then it counts one too many. It may then stop earlier than we do; never later.
    agreed = 0
    for audits in map(random_audits, range(120)):
        ours, theirs = look(*audits).threshold, mapie_says(*audits)
        agreed += ours == theirs
        assert ours == theirs or (ours is not None and (theirs is None or ours < theirs))
    assert agreed >= 100


def test_where_mapie_counts_the_losses_right_it_agrees_everywhere() -> None:
    for seed in range(60):
        confidences, losses, line, delta, first = random_audits(seed)
        certified = None
        for threshold in _sequence(confidences, first):
            served = losses[confidences >= threshold]
            nudged = np.array([max(0.0, served.mean() - 1e-9)])
            p_value = compute_hoeffding_bentkus_p_value(nudged, len(served), line, binary=True)
            if p_value[0, 0] > delta:
                break
            certified = float(threshold)
        assert look(confidences, losses, line, delta, first).threshold == certified


def test_the_first_set_that_fails_ends_the_look_whatever_comes_after() -> None:
    confidences = np.linspace(1, 0, 400)
    losses = np.zeros(400)
    losses[:40:4] = 1  # the surest lose a quarter
    found = look(confidences, losses, 0.1, 0.05, first=40)
    assert (found.threshold, found.tested, found.loss) == (None, 40, 0.25)
    assert look(confidences, losses, 0.1, 0.05, first=400).threshold == 0


def test_no_label_below_the_certified_threshold_changes_the_threshold_upwards() -> None:
    confidences, losses, line, delta, first = random_audits(1)
    found = look(confidences, losses, line, delta, first)
    spoilt = np.where(confidences < (found.threshold or 2), 1.0, losses)
    assert look(confidences, spoilt, line, delta, first).threshold == found.threshold


def test_audits_with_one_confidence_are_served_together_or_not_at_all() -> None:
    found = look(np.full(100, 0.7), np.zeros(100), 0.1, 0.05, first=10)
    assert (found.threshold, found.served, found.tested) == (0.7, 100, 100)


def test_losses_between_zero_and_one_are_tested_by_hoeffding_and_bentkus() -> None:
    found = look(np.linspace(1, 0, 300), np.full(300, 0.01), 0.1, 0.05, first=50)
    assert found.threshold is not None
    assert found.loss == pytest.approx(0.01)
    assert look(np.linspace(1, 0, 300), np.full(300, 0.09), 0.1, 0.05, 50).threshold is None


def test_the_upper_limit_is_clopper_and_pearsons() -> None:
    confidences, losses = np.linspace(1, 0, 200), np.zeros(200)
    losses[150:155] = 1
    found = look(confidences, losses, 0.1, 0.05, first=200)
    exact = binomtest(5, 200).proportion_ci(confidence_level=0.90, method="exact")
    assert found == Found(0.0, 200, 0.025, pytest.approx(exact.high), 200)


# The budget


@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.95, 0.999])
def test_all_looks_of_a_life_together_spend_less_than_one_minus_confidence(
    confidence: float,
) -> None:
    spent = [budget(confidence, attempt) for attempt in range(1, 20_000)]
    assert spent == sorted(spent, reverse=True)
    assert 0.9999 * (1 - confidence) < sum(spent) < 1 - confidence


def test_only_looks_are_counted() -> None:
    assert next_attempt([]) == 1
    refused, certified = verdict(expected=WEAK), verdict(400)
    assert next_attempt([refused, refused]) == 1
    assert next_attempt([refused, certified, refused, certified]) == 3


# How many audits


@pytest.mark.parametrize(
    ("line", "without_loss", "with_half_the_line"),
    [(0.01, 299, 780), (0.02, 149, 390), (0.05, 59, 190), (0.10, 29, 90)],
)
def test_the_truth_table_of_sample_sizes(
    line: float, without_loss: int, with_half_the_line: int
) -> None:
    assert fewest(line, 0.05) == without_loss
    assert enough(line, 0.05, 0.0) == without_loss

    def proves(audits: int, wrong: int) -> bool:
        losses = np.arange(audits) < wrong
        return look(np.ones(audits), losses.astype(float), line, 0.05, audits).threshold is not None

    assert proves(without_loss, 0)
    assert not proves(without_loss - 1, 0)
    # Where at most half the line is seen, and a tenth below that, with one loss more.
    assert proves(with_half_the_line, math.floor(with_half_the_line * line / 2))
    fewer = round(0.9 * with_half_the_line)
    assert not proves(fewer, math.ceil(fewer * line / 2))


@pytest.mark.parametrize(("line", "loss"), [(0.1, 0.05), (0.05, 0.02), (0.2, 0.15)])
def test_what_is_called_enough_proves_the_line_four_times_out_of_five(
    line: float, loss: float
) -> None:
    audits = enough(line, 0.05, loss)
    assert audits is not None
    chance = np.random.default_rng(0)
    wrong = chance.binomial(audits, loss, 4000)
    passed = np.mean([binomtest(int(k), audits, line, "less").pvalue <= 0.05 for k in wrong])
    assert 0.78 <= passed <= 0.86


def test_no_number_is_enough_at_the_line_or_above() -> None:
    assert enough(0.1, 0.05, 0.1) is None
    assert enough(0.1, 0.05, 0.5) is None
    assert enough(0.1, 0.05, 0.0999) is None


def test_a_plan_begins_where_it_is_likeliest_to_pass() -> None:
    planned = plan(SURE, 400, LINE, DELTA)
    assert planned.first in (200, 400)
    assert planned.chance > 0.9
    assert plan(SURE, 20, LINE, DELTA).chance == 0
    assert plan(WEAK, 10_000, LINE, DELTA).wanted is None
    assert plan((), 0, LINE, DELTA).chance == 0


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (190, 200)])
def test_an_interval_of_a_share_is_clopper_and_pearsons(hits: int, n: int) -> None:
    exact = binomtest(hits, n).proportion_ci(method="exact")
    assert interval(hits, n) == pytest.approx((exact.low, exact.high))


def test_of_nothing_every_share_is_possible() -> None:
    assert interval(0, 0) == (0, 1)


# The verdict


def verdict(
    audits: int = 400,
    *,
    wrong: int = 0,
    expected: tuple[Expected, ...] = SURE,
    attempt: int = 1,
    by: str = "person",
    price: str | None = "0.02",
    student: Student | None = None,
) -> Certificate | Refusal:
    """Judge a student that is surer of each audit than of the next; the last ones are wrong."""
    table: dict[str, list[Json]] = {}
    calibration: list[Example] = []
    for number in range(audits):
        right = "fruit" if number >= audits - wrong else "drinks"
        calibration.append(an_example(f"{number}", right, number).model_copy(update={"judge": by}))
        table[f'"{number}"'] = ["drinks", round(1 - number / 1000, 3)]
    dataset = Dataset(
        id="dataset", task=KIOSK.task, at=NOON, cut=NOON, until=NOON, examples="", train=0,
        calibration=audits, rate=0.5, conflicts=0, duplicates=0, near_duplicates=0, thinned=0,
    )  # fmt: skip
    candidate = Candidate(
        id="candidate", task=KIOSK.task, at=NOON, dataset="dataset", trainer="fake", params={},
        artefact="", examples=9, expected=expected, seconds=0, device="cpu",
    )  # fmt: skip
    return judge(
        KIOSK,
        candidate,
        dataset,
        calibration,
        student or FakeStudent(table, ["drinks", 0.0]),
        attempt=attempt,
        audit_price=Money(amount=Decimal(price), currency="CNY") if price else None,
    )


class Untouchable:
    """A student that may not be asked."""

    def predict(self, input: Json) -> Prediction:
        raise Unreadable(f"asked for {input!r}")

    def predict_many(self, inputs: object) -> list[Prediction]:
        raise Unreadable(f"asked for {inputs!r}")


def test_a_certificate_says_what_holds_on_what_evidence() -> None:
    found = verdict(400, wrong=8)
    assert isinstance(found, Certificate)
    assert (found.candidate, found.dataset, found.attempt) == ("candidate", "dataset", 1)
    assert (found.max_loss, found.delta, found.audits) == (LINE, DELTA, 400)
    assert (found.served, found.threshold) == (400, 0.601)
    assert found.loss == 8 / 400
    assert found.loss < found.loss_upper <= LINE
    assert found.coverage_low < found.coverage == 1 == found.coverage_high


def test_a_certificate_serves_as_much_as_it_can_prove_and_no_more() -> None:
    found = verdict(400, wrong=100, expected=(Expected(coverage=0.5, loss=0.001),))
    assert isinstance(found, Certificate)
    assert 300 <= found.served < 320
    assert found.loss_upper <= LINE < 100 / 400


def test_people_bound_correctness_and_the_teacher_only_agreement() -> None:
    assert verdict(400).bounds == "correctness"
    assert verdict(400, by="teacher").bounds == "agreement"


def test_too_few_audits_are_refused_without_a_look_and_say_how_many_and_for_how_much() -> None:
    found = verdict(30, student=Untouchable())
    assert isinstance(found, Refusal)
    assert (found.why, found.delta, found.tested, found.loss) == (
        WhyRefused.TOO_FEW_AUDITS, 0, 0, None,
    )  # fmt: skip
    assert found.missing_audits == (plan(SURE, 30, LINE, DELTA).wanted or 0) - 30
    assert found.missing_cost == Money(
        amount=Decimal("0.02") * found.missing_audits, currency="CNY"
    )


def test_with_the_audits_that_were_said_to_be_missing_a_look_is_taken() -> None:
    refused = verdict(30)
    assert isinstance(refused, Refusal)
    assert refused.missing_audits is not None
    assert isinstance(verdict(30 + refused.missing_audits), Certificate)


def test_a_student_that_expects_to_be_above_the_line_is_refused_without_a_look() -> None:
    found = verdict(400, expected=WEAK, student=Untouchable())
    assert isinstance(found, Refusal)
    assert (found.why, found.delta) == (WhyRefused.TOO_WEAK, 0)
    assert (found.missing_audits, found.missing_cost) == (None, None)


def test_no_audits_at_all_are_a_refusal() -> None:
    found = verdict(0, expected=())
    assert isinstance(found, Refusal)
    assert found.why == WhyRefused.TOO_FEW_AUDITS
    assert (found.missing_audits or 0) >= fewest(LINE, DELTA)


def test_a_look_that_fails_is_spent_and_says_what_it_saw() -> None:
    found = verdict(200, wrong=199)
    assert isinstance(found, Refusal)
    assert (found.why, found.delta) == (WhyRefused.ABOVE_LINE, DELTA)
    assert found.tested >= fewest(LINE, DELTA)
    assert (found.loss or 0) > LINE
    assert found.missing_audits is None


def test_a_look_that_fails_below_the_line_asks_for_new_audits_since_the_old_are_spent() -> None:
    hopeful = (Expected(coverage=1.0, loss=0.0),)
    found = verdict(120, wrong=4, expected=hopeful)
    assert isinstance(found, Refusal)
    assert found.why == WhyRefused.ABOVE_LINE
    assert found.loss == 4 / 120 < LINE
    assert found.missing_audits == enough(LINE, DELTA, 4 / 120)


def test_an_unknown_price_leaves_the_cost_unknown() -> None:
    found = verdict(30, price=None)
    assert isinstance(found, Refusal)
    assert found.missing_audits is not None
    assert found.missing_cost is None


def test_a_later_attempt_needs_more_audits() -> None:
    first, tenth = verdict(30), verdict(30, attempt=10)
    assert isinstance(first, Refusal)
    assert isinstance(tenth, Refusal)
    assert (tenth.missing_audits or 0) > (first.missing_audits or 0)


def test_the_same_evidence_gives_the_same_verdict_to_the_byte() -> None:
    assert verdict(400, wrong=9).model_dump_json() == verdict(400, wrong=9).model_dump_json()


def test_another_attempt_is_another_verdict() -> None:
    assert verdict(400).id != verdict(400, attempt=2).id
