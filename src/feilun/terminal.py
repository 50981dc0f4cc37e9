"""How the command line speaks: bars on what takes time, JSON on demand, verdicts in words."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from feilun.records import Certificate, Json, Refusal, WhyRefused

out = Console()
err = Console(stderr=True)


def print_json(value: Json) -> None:
    """JSON on standard output, and nothing else."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def say(as_json: bool, value: Json, words: str) -> None:
    """The same fact, for a program or for a person."""
    if as_json:
        print_json(value)
    else:
        out.print(words, highlight=False, soft_wrap=True)


@contextmanager
def bar(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; its function is called with (done, total)."""
    with _bar(title, quiet, MofNCompleteColumn(), TimeElapsedColumn()) as step:
        yield step


@contextmanager
def byte_bar(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """The same for bytes, with their speed; a total of 0 is not known."""
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bar(title, quiet, *columns) as step:
        yield step


@contextmanager
def _bar(title: str, quiet: bool, *columns: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    shown = (TextColumn(title, markup=False), BarColumn(), *columns)
    with Progress(*shown, console=err, disable=quiet, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def in_words(verdict: Certificate | Refusal) -> str:
    """A verdict as one paragraph: what holds, or what is missing and what it would cost."""
    if isinstance(verdict, Certificate):
        return (
            f"Certified: loss at most {verdict.max_loss:.1%} with confidence "
            f"{1 - verdict.delta:.2%}, bounding {verdict.bounds}; measured {verdict.loss:.1%} on "
            f"{verdict.served} of {verdict.audits} audits, so the student serves about "
            f"{verdict.coverage:.0%} of calls.{_worst(verdict)}"
        )
    looked = (
        f"Look {verdict.attempt} spent {verdict.delta:.4f}."
        if verdict.delta
        else ("No look was spent.")
    )
    return f"Refused: {_why(verdict)} {looked} {_missing(verdict)}"


def _worst(certificate: Certificate) -> str:
    """The slice of which least can be said, and how many hold the line by themselves."""
    served = [one for one in certificate.slices if one.served]
    if not served:
        return ""
    own = sum(one.threshold is not None for one in served)
    held = f" Shown in each of {own} slices; all others are the teacher's." if own else ""
    worst = served[0]
    return (
        f"{held} The worst slice may be {worst.name}: it lost {worst.loss or 0:.1%} of "
        f"{worst.served} ({worst.loss_low:.1%} to {worst.loss_high:.1%})."
    )


def _why(refusal: Refusal) -> str:
    match refusal.why:
        case WhyRefused.TOO_FEW_AUDITS:
            line = f"a loss of at most {refusal.max_loss:.1%}"
            return f"{refusal.audits} audits are too few to prove {line}."
        case WhyRefused.TOO_WEAK:
            return f"on held-out training data the student is above {refusal.max_loss:.1%}."
        case WhyRefused.ABOVE_LINE:
            return (
                f"on its {refusal.tested} surest audits it lost {refusal.loss or 0:.1%}, "
                f"which does not prove a loss of at most {refusal.max_loss:.1%}."
            )


def _missing(refusal: Refusal) -> str:
    if refusal.missing_audits is None:
        return "More audits would not help: collect corrections and train on them."
    cost = refusal.missing_cost
    price = f"{cost.amount:.2f} {cost.currency}" if cost else "an unknown price"
    return f"About {refusal.missing_audits} more audits would likely do, for {price}."
