"""Banking77 with the recorded answers of GPT-4 as the teacher.

python benchmarks/banking77.py                  # linear student, everything
python benchmarks/banking77.py --onnx DIR       # with MiniLM, made by recipes/export_minilm.py
python benchmarks/banking77.py --part warm      # or: cold
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from certified import Floats, replay, silence
from ground import example, labels_task, machine, mean_interval, rows, shared
from stream import Item, Outcome, Setting, Stream

from feilun.records import Shot
from feilun.training import expect
from feilun.training.embedding import OnnxEmbedder
from feilun.training.linear import LinearTrainer

COLD_LINE = 0.17  # GPT-4 errs on 17 %: the student may not be worse than its teacher


class Cached:
    """An embedder that remembers, so that replays do not embed the same text again."""

    def __init__(self, inner: OnnxEmbedder) -> None:
        self._inner, self._known = inner, dict[str, Floats]()

    @property
    def name(self) -> str:
        return self._inner.name

    def embed(self, texts: Sequence[str]) -> Floats:
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known.update(zip(new, self._inner.embed(new), strict=True))
        return np.array([self._known[text] for text in texts])


def trainer_of(onnx: Path | None, texts: Sequence[str] = ()) -> LinearTrainer:
    if onnx is None:
        return LinearTrainer()
    embedder = Cached(OnnxEmbedder(onnx))
    if texts:
        embedder.embed(texts)
    return LinearTrainer(embedder=embedder)


def warm(onnx: Path | None, replays: int) -> None:
    """10,003 gold labels train; the 3,080 test items are the population that is audited."""
    data = shared("banking77-gpt4")
    train, test = rows(data / "gold_train.csv"), rows(data / "gold_test.csv")
    np.random.default_rng(0).shuffle(train)  # the file is sorted by label
    task = labels_task("banking77", sorted({r["category"] for r in train}), 0.05)
    trainer = trainer_of(onnx)
    started = time.perf_counter()
    trained = trainer.train(task, [example(r["text"], r["category"]) for r in train])
    seconds = time.perf_counter() - started
    said = trainer.load(trained.artefact).predict_many([r["text"] for r in test])
    confidences = np.array([p.confidence for p in said])
    losses = np.array([float(p.output != r["category"]) for p, r in zip(said, test, strict=True)])
    print(
        f"warm: accuracy {1 - losses.mean():.2%} on {len(test)} items; "
        f"trained in {seconds:.0f} s; artefact {len(trained.artefact) / 1e6:.1f} MB"
    )
    expected = expect(task, trained)
    for line in (0.05, 0.02):
        found = replay(
            confidences, losses, expected, line=line, delta=0.05, audits=1540, replays=replays
        )
        print(
            f"  served error <= {line:.0%} at 95 %: coverage {mean_interval(found.coverage)}, "
            f"true served error {mean_interval(found.error)}, refused {found.refused}, "
            f"above the line {found.share_broken()}"
        )
        print(f"    histogram: {found.histogram(line)}")
    corrected, audited = silence(losses, corrects=0.2, rate=0.1, replays=replays)
    print(
        f"silence: true error {losses.mean():.2%}; read from corrections of 20 % of errors "
        f"{mean_interval(list(corrected))}; read from audits at 10 % {mean_interval(list(audited))}"
    )


def _one(onnx: Path | None, setting: Setting, judged_before: bool, seed: int) -> Outcome:
    data = shared("banking77-gpt4")
    items = [Item(r["text"], r["label"], r["gpt-label"]) for r in rows(data / "test_answers.csv")]
    shots = [Shot(input=r["text"], output=r["label"]) for r in rows(data / "fewshot_train.csv")]
    names = sorted({item.gold for item in items}, key=int)
    task = labels_task("banking77", names, COLD_LINE).model_copy(update={"shots": tuple(shots)})
    trainer = trainer_of(onnx, [item.text for item in items] if onnx else ())
    stream = Stream(task, trainer, [], setting, seed)
    if judged_before:
        dev = [(r["text"], r["label"]) for r in rows(data / "dev_answers.csv")]
        np.random.default_rng(seed).shuffle(dev)
        stream.audited_before(dev)
    return stream.run(items)


def cold(onnx: Path | None, orders: int, judged_before: bool) -> None:
    """231 shots, then the test items as a stream with GPT-4's recorded answers.

    `judged_before`: the 1,001 dev items of OCaTS, which tunes its thresholds on them, have
    been judged before the first call; they train and certify the first student.
    """
    setting = Setting()
    with ProcessPoolExecutor(2) as pool:
        outcomes = list(pool.map(partial(_one, onnx, setting, judged_before), range(orders)))
    spans = [span for o in outcomes for span in o.served_by_certificate if span[0] >= 100]
    above = sum(wrong / served > COLD_LINE for served, wrong in spans)
    first = [o.calls if o.first_release is None else o.first_release for o in outcomes]
    print(
        f"cold{', 1,001 dev items judged before' if judged_before else ''},"
        f" {orders} orders, {setting}:"
        f" accuracy {mean_interval([o.accuracy for o in outcomes])},"
        f" GPT-4 asked for {mean_interval([o.teacher_share for o in outcomes])} of calls,"
        f" audits {mean_interval([o.audits / o.calls for o in outcomes])} of calls,"
        f" first release after {np.median(first):.0f} calls (median),"
        f" {np.mean([o.looks for o in outcomes]):.1f} looks;"
        f" releases that served over 100 calls with an error above {COLD_LINE:.0%}:"
        f" {above} of {len(spans)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", type=Path)
    parser.add_argument("--part", choices=("all", "warm", "cold"), default="all")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--replays", type=int, default=1000)
    asked = parser.parse_args()
    shared("banking77-gpt4")
    print(f"banking77, {machine()}, {trainer_of(asked.onnx).name}")
    if asked.part != "cold":
        warm(asked.onnx, asked.replays)
    if asked.part != "warm":
        cold(asked.onnx, asked.orders, judged_before=False)
        cold(asked.onnx, asked.orders, judged_before=True)


if __name__ == "__main__":
    main()
