"""The linear machine: what it says of an example, it says without having seen it."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC

from feilun.training import svm

CLASSES = 3


def some_rows(
    count: int = 40, noise: float = 0.6, seed: int = 3
) -> tuple[sp.csr_matrix, svm.Labels]:
    """Clouds around three corners, in random order."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, CLASSES, count)
    rows = np.eye(CLASSES, 5)[labels] + noise * chance.normal(size=(count, 5))
    return sp.csr_matrix(rows), labels


def fit(rows: sp.csr_matrix, labels: svm.Labels, doubted: svm.Bools | None = None) -> svm.Fit:
    nobody = np.zeros(len(labels), dtype=bool)
    return svm.fit(rows, labels, nobody if doubted is None else doubted, ~nobody)


def test_held_out_scores_equal_those_of_machines_trained_without_the_example() -> None:
    rows, labels = some_rows()
    fitted = fit(rows, labels)
    for seen, unseen in KFold(4, shuffle=True, random_state=0).split(labels):
        machine = LinearSVC(C=2.0, tol=1e-3, max_iter=10_000, random_state=0)
        machine.fit(rows[seen], labels[seen])
        brute = machine.decision_function(rows[unseen])
        np.testing.assert_allclose(fitted.held_out[unseen], brute, atol=1e-12)


def test_a_wrong_label_does_not_vouch_for_itself() -> None:
    rows, labels = some_rows(noise=0.05)
    flipped = labels.copy()
    flipped[0] = (labels[0] + 1) % CLASSES
    assert fit(rows, flipped).held_out[0].argmax() == labels[0]


def test_the_weights_are_those_of_a_machine_trained_on_all() -> None:
    rows, labels = some_rows()
    fitted = fit(rows, labels)
    machine = LinearSVC(C=2.0, tol=1e-3, max_iter=10_000, random_state=0)
    machine.fit(rows, labels)
    scores = rows @ fitted.weights[:-1] + fitted.weights[-1]
    np.testing.assert_allclose(scores, machine.decision_function(rows), atol=1e-12)


def test_two_labels_are_learnt_as_well_as_many() -> None:
    rows, labels = some_rows(noise=0.05)
    two = labels < 2
    fitted = fit(rows[two], labels[two])
    scores = rows[two] @ fitted.weights[:-1] + fitted.weights[-1]
    assert (np.asarray(scores).argmax(axis=1) == labels[two]).all()


def test_a_label_with_a_single_example_does_not_stop_the_others() -> None:
    rows, labels = some_rows(noise=0.05)
    rare = np.where(np.arange(len(labels)) == 7, 3, labels)
    fitted = fit(rows, rare)
    assert fitted.held_out.shape == (40, 4)
    assert np.isfinite(fitted.held_out).all()


def test_two_examples_are_enough_to_fit() -> None:
    fitted = fit(sp.csr_matrix(np.eye(2)), np.array([0, 1]))
    assert np.isfinite(fitted.weights).all()
    assert np.isfinite(fitted.log_loss)


def test_the_sharpness_is_the_one_with_the_least_log_loss() -> None:
    rows, labels = some_rows(200)
    fitted = fit(rows, labels)

    def log_loss(sharpness: float) -> float:
        said = svm.confidences(fitted.held_out, sharpness)
        return -float(np.log(said[np.arange(200), labels]).mean())

    best = min(log_loss(sharpness) for sharpness in np.geomspace(0.2, 50, 400))
    assert log_loss(fitted.sharpness) == pytest.approx(fitted.log_loss)
    assert fitted.log_loss <= best + 1e-5


def test_confidence_is_calibrated_on_examples_it_was_not_fitted_on() -> None:
    rows, labels = some_rows(1500, noise=0.7)
    fitted = fit(rows[:750], labels[:750])
    scores = np.asarray(rows[750:] @ fitted.weights[:-1] + fitted.weights[-1])
    said = svm.confidences(scores, fitted.sharpness)
    right = said.argmax(axis=1) == labels[750:]
    # The mean confidence is the share of right answers, within four standard errors.
    assert said.max(axis=1).mean() == pytest.approx(right.mean(), abs=4 * (0.25 / 750) ** 0.5)


def test_labels_that_nobody_confirmed_weigh_less_where_they_mislead() -> None:
    rows, labels = some_rows(300, noise=0.3)
    doubted = np.arange(300) < 200
    misled = np.where(doubted, np.random.default_rng(5).integers(0, CLASSES, 300), labels)
    assert svm.fit(rows, misled, doubted, ~doubted).trust < 1
    assert svm.fit(rows, labels, np.zeros(300, dtype=bool), ~doubted).trust == 1


def test_confidences_are_probabilities_even_of_huge_scores() -> None:
    said = svm.confidences(np.array([[1e6, -1e6, 0.0], [0.0, 0.0, 0.0]]), 50.0)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    np.testing.assert_allclose(said[1], 1 / 3)


def test_audits_older_than_what_is_tuned_on_do_not_leave_it_without_a_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(svm, "_TUNED_ON", 100)
    rows, labels = some_rows(200)
    old = np.arange(200) < 60
    fitted = svm.fit(rows, labels, np.zeros(200, dtype=bool), old)
    assert fitted.held_out.shape == (100, CLASSES)
    assert np.isfinite(fitted.log_loss)
