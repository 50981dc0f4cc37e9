"""The chart of a verdict: what the student expected of itself, and what audits showed."""

from feilun.demo_report.words import Words
from feilun.house import Turn
from feilun.page.markup import Html, join
from feilun.page.svg import (
    Frame,
    both,
    box,
    dot,
    frame,
    line,
    path,
    picture,
    text,
    x_axis,
    y_axis,
)
from feilun.records import Candidate, Certificate, Refusal

PANEL = (520, 340)
_TICKS = (0.1, 0.2, 0.25, 0.5)


def verdict(turn: Turn, say: Words) -> Html:
    """Coverage against loss, the red line, and the point that was certified or tested."""
    return both(PANEL, lambda width: _verdict(turn, say, width))


def _verdict(turn: Turn, say: Words, width: int) -> Html:
    found, candidate = turn.verdict, turn.candidate
    line_at = found.max_loss
    top = _ceiling(candidate, found)
    on = frame(width, 300, x_max=1, y=(0, top), top=12)
    step = next(step for step in _TICKS if top / step <= 5 or step == _TICKS[-1])
    ticks = [step * number for number in range(int(top / step + 1e-9) + 1)]
    return picture(
        on,
        f"proof-{width}",
        say("expected"),
        in_words(turn, say),
        box(on.left, on.top, on.right - on.left, on.y(line_at) - on.top, "forbidden"),
        y_axis(on, ticks, say.percent),
        x_axis(on, [(share, say.percent(share)) for share in (0, 0.25, 0.5, 0.75)]),
        text(say.percent(1), on.right, on.bottom + 18, "tick end"),
        line((on.left, on.y(line_at)), (on.right, on.y(line_at)), "red-line"),
        text(
            f"{say('red_line')} {say.percent(line_at)}", on.left + 6, on.y(line_at) - 6, "red-label"
        ),
        _expectation(on, candidate),
        _point(on, found),
    )


def _ceiling(candidate: Candidate, found: Certificate | Refusal) -> float:
    seen = [found.max_loss * 1.5, *(point.loss * 1.1 for point in candidate.expected)]
    if isinstance(found, Certificate):
        seen.append(found.loss_upper * 1.1)
    elif found.loss is not None:
        seen.append(found.loss * 1.1)
    return min(1.0, max(seen))


def _expectation(on: Frame, candidate: Candidate) -> Html:
    points = sorted((point.coverage, point.loss) for point in candidate.expected)
    return path([(on.x(x), on.y(y)) for x, y in points], "curve-ink") if points else Html()


def _point(on: Frame, found: Certificate | Refusal) -> Html:
    if isinstance(found, Refusal):
        return _tested(on, found)
    x, y = on.x(found.coverage), on.y(found.loss)
    top, low, high = on.y(found.loss_upper), on.x(found.coverage_low), on.x(found.coverage_high)
    return join(
        line((x, y), (x, top), "whisker"),
        line((x - 5, top), (x + 5, top), "whisker"),
        line((low, y), (high, y), "whisker"),
        dot(x, y, 5.5, "knot-student"),
    )


def _tested(on: Frame, found: Refusal) -> Html:
    if found.loss is None or not found.audits:
        return Html()
    x, y = on.x(found.tested / found.audits), on.y(found.loss)
    return join(
        line((x - 5, y - 5), (x + 5, y + 5), "cross"),
        line((x - 5, y + 5), (x + 5, y - 5), "cross"),
    )


def in_words(turn: Turn, say: Words) -> str:
    """What the chart shows, as text."""
    gap = "" if say.language == "zh" else " "
    return gap.join(part for part in (_guess(turn, say), _shown(turn.verdict, say)) if part)


def _guess(turn: Turn, say: Words) -> str:
    line_at = say.percent(turn.verdict.max_loss)
    points = sorted((point.coverage, point.loss) for point in turn.candidate.expected)
    if not points:
        return say("expected.alt_none", line=line_at)
    return say(
        "expected.alt",
        first=say.percent(points[0][0]),
        first_loss=say.percent(points[0][1], 1),
        last=say.percent(points[-1][0]),
        last_loss=say.percent(points[-1][1], 1),
        line=line_at,
    )


def _shown(found: Certificate | Refusal, say: Words) -> str:
    if isinstance(found, Certificate):
        return say(
            "expected.alt_certified",
            coverage=say.percent(found.coverage),
            loss=say.percent(found.loss, 1),
            upper=say.percent(found.loss_upper, 1),
        )
    if found.loss is None or not found.audits:
        return ""
    coverage = say.percent(found.tested / found.audits)
    return say("expected.alt_tested", coverage=coverage, loss=say.percent(found.loss, 1))
