"""CLINC150: 150 intents, and queries out of scope that must fall to the teacher.

An out-of-scope query has no right label here, so whatever a student serves is wrong. The
population is the test set with all its out-of-scope queries (18 % of it).

    python benchmarks/clinc150.py
"""

import argparse
import json
import time

import numpy as np
from certified import replay
from ground import example, labels_task, machine, mean_interval, shared

from feilun.training import expect
from feilun.training.linear import LinearTrainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=1000)
    asked = parser.parse_args()
    data = json.loads((shared("clinc150") / "data_full.json").read_text(encoding="utf-8"))
    print(f"clinc150, {machine()}")
    train, inside, outside = data["train"], data["test"], data["oos_test"]
    np.random.default_rng(0).shuffle(train)
    task = labels_task("clinc150", sorted({label for _, label in train}), 0.05)
    trainer = LinearTrainer()
    started = time.perf_counter()
    trained = trainer.train(task, [example(text, label) for text, label in train])
    print(f"trained on {len(train)} in {time.perf_counter() - started:.0f} s")
    student = trainer.load(trained.artefact)
    said = student.predict_many([text for text, _ in (*inside, *outside)])
    confidences = np.array([p.confidence for p in said])
    golds = [label for _, label in inside] + [None] * len(outside)
    losses = np.array([float(p.output != gold) for p, gold in zip(said, golds, strict=True)])
    out = np.array([gold is None for gold in golds])
    print(f"accuracy in scope {1 - losses[~out].mean():.2%} of {len(inside)}")
    for name, chosen in (("in scope only", ~out), ("with out of scope", np.ones_like(out))):
        for line in (0.05, 0.02):
            found = replay(
                confidences[chosen],
                losses[chosen],
                expect(task, trained),
                line=line,
                delta=0.05,
                audits=1500,
                replays=asked.replays,
            )
            print(
                f"{name}, served error <= {line:.0%} at 95 %: coverage "
                f"{mean_interval(found.coverage) if found.coverage else 'none'}, refused "
                f"{found.refused}, above the line {found.share_broken()}"
            )
    for line in (0.05, 0.02):
        draw = np.random.default_rng(0).permutation(len(losses))
        half = len(draw) // 2
        found_at = _threshold(confidences[draw[:half]], losses[draw[:half]], line)
        rest = draw[half:]
        fell = np.mean(confidences[rest][out[rest]] < found_at)
        print(f"out of scope to the teacher at <= {line:.0%}: {fell:.1%} of {out[rest].sum()}")


def _threshold(confidences: np.ndarray, losses: np.ndarray, line: float) -> float:
    from feilun.certify import look

    found = look(confidences, losses, line, 0.05, len(losses) // 4)
    return 1.1 if found.threshold is None else found.threshold


if __name__ == "__main__":
    main()
