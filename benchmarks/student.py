"""How long one call on a warm student takes, batch 1, against scikit-learn's own pipeline.

python benchmarks/student.py
"""

import time
from statistics import median

import numpy as np
from ground import example, labels_task, machine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from feilun.apps.daily.sample import lines
from feilun.training.linear import LinearTrainer


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
    ours, theirs = [], []
    for number in np.random.default_rng(0).integers(0, len(texts), 1000):
        text = texts[number]
        started = time.perf_counter()
        student.predict(text)
        middle = time.perf_counter()
        peer.predict([text])
        ours.append(middle - started)
        theirs.append(time.perf_counter() - middle)
    print(
        f"student, {machine()}, {len(texts)} lines, artefact {len(trained.artefact) / 1e6:.1f} MB"
    )
    print(
        f"median {1e3 * median(ours):.2f} ms, p99 {1e3 * np.quantile(ours, 0.99):.2f} ms; "
        f"scikit-learn's TF-IDF pipeline {1e3 * median(theirs):.2f} ms, "
        f"ratio {median(theirs) / median(ours):.1f}; 1,000 calls each, interleaved"
    )


if __name__ == "__main__":
    main()
