"""`feilun trial`: a candidate beside the incumbent, before it is released."""

from typing import Annotated

import typer
from rich.table import Table

from feilun.cli.options import DONE, NO, AsJson, Blobs, Embedder, Prices, Reason, Where, the_house
from feilun.errors import InputError
from feilun.house import Tried
from feilun.terminal import err, out, print_json, say
from feilun.trials import Shown
from feilun.wiring import PRICES

trial_app = typer.Typer(
    name="trial",
    help="Try a candidate in the shadow, or for a share of the calls, before it is released.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The name of the task.")]

_SHOWN = {
    Shown.WORSE: "shown worse than the incumbent",
    Shown.BETTER: "shown better than the incumbent",
    Shown.OPEN: "no difference shown yet",
}


@trial_app.command(
    epilog='Example: `feilun trial start expense.category --certificate 3f2a... --share 0.05 '
    '--reason "a few customers first"`'
)  # fmt: skip
def start(
    task: Name,
    reason: Reason,
    candidate: Annotated[
        str | None, typer.Option(help="Try this candidate in the shadow: nobody is served by it.")
    ] = None,
    certificate: Annotated[
        str | None, typer.Option(help="Let the candidate of this certificate answer a share.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the calls, for a canary.")
    ] = 0.05,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Start a trial: a shadow of a candidate, or a canary of a certificate's candidate."""
    if (candidate is None) == (certificate is None):
        raise InputError(
            "Give --candidate for a shadow, or --certificate for a canary: one of the two."
        )
    with (
        the_house(store, blobs, prices, embedder) as house,
        err.status(f"Loading the candidate of {task}"),
    ):
        if certificate is not None:
            begun = house.trials.start_canary(task, certificate, share, reason)
            words = f"{begun.variant} has the first word on {share:.1%} of the calls of {task}."
        else:
            begun = house.trials.start_shadow(task, candidate or "", reason)
            words = f"{begun.variant} speaks beside each answer of {task}, and serves nobody."
    say(as_json, {"schema": "feilun.trial.start/1", "trial": begun.model_dump(mode="json")}, words)


@trial_app.command(epilog='Example: `feilun trial stop expense.category --reason "seen enough"`')
def stop(
    task: Name,
    reason: Reason,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """End the trial of a task: the incumbent has all calls again."""
    with the_house(store, blobs, prices) as house:
        over = house.trials.stop(task, reason)
    shape = {"schema": "feilun.trial.stop/1", "trial": over.model_dump(mode="json")}
    say(as_json, shape, f"The trial of {over.variant} for {task} is over.")


@trial_app.command(epilog="Example: `feilun trial show expense.category --store .feilun`")
def show(
    task: Name,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    as_json: AsJson = False,
) -> None:
    """Show what the trial of a task has shown. Exit code 1 if there is none."""
    with the_house(store, blobs, prices) as house, err.status(f"Counting the calls of {task}"):
        found = house.trials.show(task)
    if found is None:
        say(as_json, {"schema": "feilun.trial/1", "trial": None}, f"{task} has had no trial.")
        raise typer.Exit(NO)
    if as_json:
        print_json({"schema": "feilun.trial/1", **found.told()})
    else:
        _print(found)
    raise typer.Exit(DONE)


def _print(found: Tried) -> None:
    trial, told, evidence = found.trial, found.comparison, found.comparison.evidence
    how = "canary" if trial.how == "canary" else "shadow"
    share = f", {trial.share:.1%} of the calls" if trial.how == "canary" else ""
    over = " (over)" if trial.ended else ""
    out.print(f"{trial.task}: {how}{share}{over}: {trial.reason}", highlight=False, markup=False)
    table = Table("", "candidate", "incumbent")
    table.add_row("variant", _short(trial.variant), _short(found.incumbent or "the teacher"))
    table.add_row("would serve", _share(told.candidate_share), _share(told.incumbent_share))
    table.add_row("wrong, by audits", _share(told.candidate_loss), _share(told.incumbent_loss))
    seconds = (told.candidate_seconds, told.incumbent_seconds)
    table.add_row("middle time", *(_seconds(each) for each in seconds))
    out.print(table)
    if found.broken is not None:
        out.print(f"An audit found an answer that rule {found.broken!r} forbids.", highlight=False)
    out.print(
        f"{told.calls} calls on which both spoke, {evidence.pairs} of them audited: "
        f"{_SHOWN[evidence.shown]}. The candidate's loss is {evidence.low:+.1%} to "
        f"{evidence.high:+.1%} above the incumbent's, with 95 % confidence at any time.",
        highlight=False,
        soft_wrap=True,
    )


def _short(id: str) -> str:
    return id[:12]


def _share(value: float | None) -> str:
    return "no calls yet" if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    return "no calls yet" if value is None else f"{value * 1000:.1f} ms"
