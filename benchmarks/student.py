"""How long a warm student takes for a call, alone and among 32, against scikit-learn's pipeline.

python benchmarks/student.py
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from ground import example, labels_task, machine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from feilun.apps.daily.sample import lines
from feilun.training.linear import LinearTrainer

ROUNDS = 40
TOGETHER = 32  # requests that one tick of a gateway's event loop may gather


def seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def main() -> None:
    sample = lines()
    texts, golds = [line.text for line in sample], [line.gold for line in sample]
    trainer = LinearTrainer()
    task = labels_task("expense", sorted(set(golds)), 0.1)
    trained = trainer.train(task, [example(t, g) for t, g in zip(texts, golds, strict=True)])
    student = trainer.load(trained.artefact)
    peer = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2)),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4)),
        ),
        LinearSVC(),
    ).fit(texts, golds)
    alone, among, theirs = [], [], []
    chance = np.random.default_rng(0)
    for _ in range(ROUNDS):
        # In turns, so that all meet the same machine; by the dozen, so that none is measured
        # with its memory full of another's.
        some = [texts[n] for n in chance.integers(0, len(texts), TOGETHER)]
        alone += [seconds(partial(student.predict, text)) for text in some]
        for _ in range(8):
            others = [texts[n] for n in chance.integers(0, len(texts), TOGETHER)]
            among.append(seconds(partial(student.predict_many, others)) / TOGETHER)
        theirs += [seconds(partial(peer.predict, [text])) for text in some]
    print(
        f"student, {machine()}, {len(texts)} lines, artefact {len(trained.artefact) / 1e6:.1f} MB"
    )
    print(
        f"alone: median {1e6 * median(alone):.0f} µs, p99 {1e6 * np.quantile(alone, 0.99):.0f} µs; "
        f"among {TOGETHER}: median {1e6 * median(among):.0f} µs each; "
        f"scikit-learn's TF-IDF pipeline, alone: {1e6 * median(theirs):.0f} µs, "
        f"ratio {median(theirs) / median(alone):.1f}; {ROUNDS} rounds, interleaved"
    )


if __name__ == "__main__":
    main()
