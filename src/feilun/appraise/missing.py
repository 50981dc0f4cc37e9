"""What keeps a task from its certificate, in numbers and in a sentence."""

import math

from feilun.appraise.discover import Found
from feilun.appraise.judge import Judged
from feilun.appraise.shape import Missing
from feilun.appraise.split import rows_for, wanted
from feilun.records import Certificate, RedLine, WhyRefused


def missing_from(found: Found, result: Judged, line: RedLine) -> Missing:
    """Why a judged task got no certificate, and how many more rows would change that."""
    of = "gold_rows" if result.gold else "rows"
    have = len({u.key for u in found.units if u.gold is not None or not result.gold})
    per_input = len(found.rows) / max(1, len({u.key for u in found.units})) if of == "rows" else 1
    verdict = result.verdict
    if isinstance(verdict, Certificate):
        says = (
            "Distinct inputs hold the line, but the inputs that were logged most often do not. "
            "Correct those, then appraise again."
        )
        return Missing(why="repeats_above_line", rows=None, of=of, says=says)
    if verdict is None and len(found.labels) < 2:
        says = "Every answer is the same: there is nothing to learn. A rule would answer as well."
        return Missing(why="one_label", rows=None, of=of, says=says)
    if verdict is None or (verdict.why == WhyRefused.TOO_FEW_AUDITS and not verdict.missing_audits):
        more = _more(wanted(line.max_loss, line.confidence), have, per_input)
        return Missing(why="too_few_rows", rows=more, of=of, says=_says(more, of))
    if verdict.missing_audits is None:
        loss = "" if verdict.loss is None else f" At its surest it still loses {verdict.loss:.1%}."
        says = (
            f"A student of these answers stays above the line.{loss} More such rows would not help."
        )
        return Missing(why=str(verdict.why), rows=None, of=of, says=says)
    total = verdict.missing_audits + (0 if verdict.delta else verdict.audits)
    why = "too_few_rows" if verdict.why == WhyRefused.TOO_FEW_AUDITS else str(verdict.why)
    more = _more(total, have, per_input)
    return Missing(why=why, rows=more, of=of, says=_says(more, of))


def _more(calibration: int, have: int, per_input: float) -> int:
    """How many more rows a log needs for so many distinct inputs to calibrate."""
    return max(1, math.ceil((rows_for(calibration) - have) * per_input))


def _says(more: int, of: str) -> str:
    what = "rows that people judged, drawn at random" if of == "gold_rows" else "rows"
    return f"About {more:,} more {what} would be needed, if they are like these."
