"""The command line. Every command has --json, an example, and no traceback for a user's mistake.

Exit codes: 0 done; 1 done, and the answer is no (a refusal, a failed check); 2 the command
or what it was given cannot be used; 3 the store is damaged or cannot be reached.
"""

import sys

import typer
from rich.markup import escape

from feilun.cli.audits import audits_app
from feilun.cli.engines import engines_app
from feilun.cli.keys import keys_app
from feilun.cli.ledger import ledger_app
from feilun.cli.models import models_app
from feilun.cli.options import STORE, UNUSABLE
from feilun.cli.plan import plan_app
from feilun.cli.runway import runway_app
from feilun.cli.tasks import tasks_app
from feilun.cli.trial import trial_app
from feilun.cli.up import up_app
from feilun.cli.watch import watch_app
from feilun.cli.wheel import wheel
from feilun.errors import FeilunError, InputError, NotFound, StoreError
from feilun.terminal import err

app = typer.Typer(
    name="feilun",
    help="Feilun 飞轮: AI traffic trains small models; a red line says when they may serve.",
    epilog="First time? Run `feilun demo`. Only have a log? Run `feilun appraise LOG`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(up_app)
app.add_typer(wheel)
app.add_typer(watch_app)
app.add_typer(plan_app)
app.add_typer(runway_app)
app.add_typer(trial_app)
app.add_typer(tasks_app)
app.add_typer(audits_app)
app.add_typer(ledger_app)
app.add_typer(keys_app)
app.add_typer(engines_app)
app.add_typer(models_app)

# The extra that brings a package which only some commands import.
_EXTRAS = {
    **dict.fromkeys(
        ("genson", "httptools", "httpx", "msgspec", "tomlkit", "uvicorn", "uvloop"), "gateway"
    ),
    "xllamacpp": "embedded",
}


def main() -> None:
    """Run a command; a user's mistake ends in one sentence and an exit code."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        err.print("Stopped. What was stored before stays stored.")
        sys.exit(130)
    except FeilunError as error:
        sys.exit(_told(error))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.exit(_told(InputError(f"This needs more packages: pip install 'feilun[{extra}]'")))


def _told(error: FeilunError) -> int:
    """Print what went wrong; the exit code that says so."""
    words = escape(str(error))
    err.print(f"[red]{type(error).__name__}[/]: {words}", soft_wrap=True, highlight=False)
    unreachable = isinstance(error, StoreError) and not isinstance(error, NotFound)
    return STORE if unreachable else UNUSABLE
