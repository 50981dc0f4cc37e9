"""The command line. Every command has --json, an example, and no traceback for a user's mistake.

Exit codes: 0 done; 1 done, and the answer is no (a refusal, a failed check); 2 the command
or what it was given cannot be used; 3 the store is damaged or cannot be reached.
"""

import sys

import typer

from feilun.cli.options import STORE, UNUSABLE
from feilun.cli.wheel import wheel
from feilun.errors import FeilunError, NotFound, StoreError
from feilun.terminal import err

app = typer.Typer(
    name="feilun",
    help="Feilun 飞轮: AI traffic trains small models; a red line says when they may serve.",
    epilog="First time? Run `feilun demo`. Only have a log? Run `feilun appraise LOG`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(wheel)


def main() -> None:
    """Run a command; a user's mistake ends in one sentence and an exit code."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        err.print("Stopped. What was stored before stays stored.")
        sys.exit(130)
    except FeilunError as error:
        err.print(f"[red]{type(error).__name__}[/]: {error}", soft_wrap=True, highlight=False)
        unreachable = isinstance(error, StoreError) and not isinstance(error, NotFound)
        sys.exit(STORE if unreachable else UNUSABLE)
