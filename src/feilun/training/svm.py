"""A linear support vector machine on labels, tuned and calibrated on its training data alone.

One machine for each label (liblinear, squared hinge). Folds give each example a score from
a machine that has not seen it. On those it is chosen how far to trust labels that no person
confirmed, and one number, the sharpness, that turns scores into confidences (temperature
scaling, Guo et al. 2017).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Bools = NDArray[np.bool_]

_COST = 2.0  # folds of 500 to 10,000 labels chose it over 0.5; trying took half of the time
_TRUST = (1.0, 0.25)  # weights tried for labels that no person confirmed
_FOLDS = 4
_TUNED_ON = 4000  # examples, the youngest: choosing on more costs minutes and moves nothing


@dataclass(frozen=True)
class Fit:
    """Weights, shape (features + 1, labels), the last row the bias; and what folds said.

    `held_out` are scores, shape (examples tuned on, labels), of the youngest examples, from
    machines that had not seen them. Confidence = softmax(sharpness * scores).
    """

    weights: Floats
    held_out: Floats
    trust: float
    sharpness: float
    log_loss: float  # of the held-out scores of the scored examples, nats


def fit(rows: sp.csr_matrix, labels: Labels, doubted: Bools, scored: Bools) -> Fit:
    """Fit labels 0 .. k-1, shape (n,), on rows, shape (n, features).

    `doubted` labels weigh `trust`; trust and sharpness are those with the least log loss
    on the held-out `scored` examples. k is at least 2.
    """
    tail = slice(max(0, len(labels) - _TUNED_ON), None)
    young, goal = rows[tail], labels[tail]
    marks = scored[tail] if scored[tail].any() else np.ones_like(scored[tail])
    classes = int(labels.max()) + 1
    tried = _TRUST if doubted.any() and not doubted.all() else _TRUST[:1]
    trials = []
    for trust in tried:
        held_out = _held_out(young, goal, np.where(doubted[tail], trust, 1.0), classes)
        sharpness, log_loss = _sharpen(held_out[marks], goal[marks])
        trials.append((log_loss, trust, sharpness, held_out))
    log_loss, trust, sharpness, held_out = min(trials, key=lambda trial: trial[0])
    weights = _weights(rows, labels, np.where(doubted, trust, 1.0), classes)
    return Fit(weights, held_out, trust, sharpness, log_loss)


def learnt(held_out: int) -> int:
    """How many examples each machine had seen that gave so many held-out scores."""
    return held_out - -(-held_out // min(_FOLDS, held_out))


def confidences(scores: Floats, sharpness: float) -> Floats:
    """Probabilities of labels, same shape as `scores` (n, labels)."""
    # log_softmax of scipy says the same, and takes three times as long for one row.
    logits = sharpness * scores
    logits -= logits.max(axis=1, keepdims=True)
    probabilities: Floats = np.exp(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    return probabilities


def _held_out(rows: sp.csr_matrix, labels: Labels, weight: Floats, classes: int) -> Floats:
    from sklearn.model_selection import KFold

    scores = np.zeros((len(labels), classes))
    for seen, unseen in KFold(min(_FOLDS, len(labels)), shuffle=True, random_state=0).split(labels):
        weights = _weights(rows[seen], labels[seen], weight[seen], classes)
        scores[unseen] = rows[unseen] @ weights[:-1] + weights[-1]
    return scores


def _weights(rows: sp.csr_matrix, labels: Labels, weight: Floats, classes: int) -> Floats:
    """Weights and bias of all labels; a label that is not among the examples scores -1."""
    from sklearn.svm import LinearSVC

    found = np.zeros((rows.shape[1] + 1, classes))
    found[-1] = -1.0
    present = np.unique(labels)
    if len(present) == 1:
        found[-1, present] = 1.0
        return found
    machine = LinearSVC(C=_COST, tol=1e-3, max_iter=10_000, random_state=0)
    machine.fit(rows, labels, sample_weight=weight)
    coefficients, bias = machine.coef_, machine.intercept_
    if len(present) == 2:  # liblinear keeps one machine for two labels
        coefficients = np.vstack([-coefficients, coefficients])
        bias = np.concatenate([-bias, bias])
    found[:-1, present], found[-1, present] = coefficients.T, bias
    return found


def _sharpen(scores: Floats, labels: Labels) -> tuple[float, float]:
    """The sharpness with the least log loss, and that loss."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows = np.arange(len(labels))

    def log_loss(log_sharpness: float) -> float:
        said = log_softmax(np.exp(log_sharpness) * scores, axis=1)
        return -float(np.mean(said[rows, labels]))

    found = minimize_scalar(log_loss, bounds=(-2.0, 4.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
