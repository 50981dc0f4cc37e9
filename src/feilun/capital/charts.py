"""The two charts: the fan of cash, and the tornado of what moves the runway."""

import math
from collections.abc import Callable, Sequence

from feilun.capital.drivers import Driver
from feilun.capital.outlook import Outlook
from feilun.capital.words import Words
from feilun.page.markup import Html, el, join
from feilun.page.svg import Frame, both, box, line, path, picture, text, x_axis, y_axis

PAGE = (1040, 340)  # widths, in CSS pixels: a desk's column and a phone's
_ROW, _MOST_ROWS = 40, 8
_LABELS = 58  # room on the left for amounts with a sign, as in -¥2,000万


def fan(found: Outlook, say: Words) -> Html:
    """Cash month by month: where nine in ten and five in ten futures lie, and the medians."""
    return both(PAGE, lambda width: _fan(found, say, width))


def tornado(found: Outlook, say: Words) -> Html:
    """The median runway as each entry turns out badly or well."""
    return both(PAGE, lambda width: _tornado(found, say, width))


def _fan(found: Outlook, say: Words, width: int) -> Html:
    rows = found.planned.fan
    after = found.after.fan[2] if found.after else None
    low, high, step = _scale(float(rows[0].min()), float(max(rows[4].max(), 0.0)))
    on = Frame(width, 300, _LABELS, width - 10, 12, 274, found.company.horizon, low, high)
    ticks = [low + number * step for number in range(round((high - low) / step) + 1)]
    return picture(
        on,
        f"fan-{width}",
        say("fan"),
        say(
            "fan.alt",
            horizon=str(found.company.horizon),
            cash=say.amount(float(rows[2][0])),
            end=say.amount(float(rows[2][-1])),
        ),
        y_axis(on, ticks, lambda value: "0" if abs(value) < step / 2 else say.amount(value)),
        x_axis(on, [(month, str(month)) for month in _months(found.company.horizon)]),
        _band(on, rows[0].tolist(), rows[4].tolist(), "band-90"),
        _band(on, rows[1].tolist(), rows[3].tolist(), "band-50"),
        line((on.left, on.y(0)), (on.right, on.y(0)), "zero"),
        Html() if after is None else path(_points(on, after.tolist()), "curve-after"),
        path(_points(on, rows[2].tolist()), "curve-mid"),
    )


def _months(horizon: int) -> range:
    return range(0, horizon + 1, 6 if horizon <= 48 else 12)


def _points(on: Frame, values: Sequence[float]) -> list[tuple[float, float]]:
    """Places of values month by month, kept within the plot."""
    return [
        (on.x(month), on.y(min(max(value, on.y_min), on.y_max)))
        for month, value in enumerate(values)
    ]


def _band(on: Frame, low: Sequence[float], high: Sequence[float], kind: str) -> Html:
    around = [*_points(on, high), *reversed(_points(on, low))]
    places = " L".join(f"{x:.1f} {y:.1f}" for x, y in around)
    return el("path", d=f"M{places} Z", class_=kind)


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Round ends and steps for an axis that holds zero. What is missing shows no more than cash."""
    high = high or 1.0
    low = max(min(low, 0.0), -high)
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= rough)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _tornado(found: Outlook, say: Words, width: int) -> Html:
    rows = found.drivers[:_MOST_ROWS]
    ends = [value for each in rows for value in _ends(each)]
    middle = min(found.planned.median or found.company.horizon, found.company.horizon)
    low = max(0, math.floor(min([*ends, middle]) / 6) * 6)
    high = math.ceil(max([*ends, middle]) / 6) * 6 + 1e-9
    height = 24 + _ROW * len(rows) + 28
    on = Frame(width, height, 12, width - 16, 12, height - 26, high - low, 0, 1)

    def at(value: float) -> float:
        return on.x(min(max(value, low), high) - low)

    places = range(low, int(high) + 1, 6)
    first = rows[0]
    return picture(
        on,
        f"drivers-{width}",
        say("drivers"),
        say(
            "drivers.alt",
            count=str(len(rows)),
            first=first.name,
            low=f"{min(first.at_p10, first.at_p90):.1f}",
            high=f"{max(first.at_p10, first.at_p90):.1f}",
        ),
        *(line((at(n), on.top), (at(n), on.bottom), "grid") for n in places),
        *(text(str(n), at(n), on.bottom + 18, "tick middle") for n in places),
        line((at(middle), on.top), (at(middle), on.bottom), "middle-line"),
        *(_row(each, number, middle, on, at) for number, each in enumerate(rows)),
    )


def _row(each: Driver, number: int, middle: float, on: Frame, at: Callable[[float], float]) -> Html:
    top = on.top + _ROW * number + 6
    bars = [
        box(min(at(value), at(middle)), top + 15, abs(at(value) - at(middle)), 12, kind)
        for value, kind in ((each.at_p10, "bad"), (each.at_p90, "good"))
        if each.swing
    ]
    tenth = line((at(each.tenth_worse), top + 21), (at(each.tenth_better), top + 21), "tenth")
    return join(text(each.name, on.left, top + 10, "name"), *bars, tenth)


def _ends(each: Driver) -> tuple[float, ...]:
    return each.at_p10, each.at_p90, each.tenth_better, each.tenth_worse
