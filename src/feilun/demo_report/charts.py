"""The three charts: who answers, how often it is right, and what the certificate shows."""

from collections.abc import Sequence
from datetime import date

from feilun.demo import Day, Story
from feilun.demo_report.facts import WINDOW, Window, added, released_on, stretches, windows
from feilun.demo_report.words import Words
from feilun.page.markup import Html, join
from feilun.page.svg import (
    Frame,
    both,
    box,
    dot,
    frame,
    line,
    mark,
    path,
    picture,
    text,
    x_axis,
    y_axis,
)
from feilun.records import Certificate

PAGE = (920, 340)  # widths, in CSS pixels: a desk's column and a phone's


def served(story: Story, say: Words) -> Html:
    """Day by day: the student's share of calls, and the turns of the wheel above it."""
    return both(PAGE, lambda width: _served(story, say, width))


def accuracy(story: Story, say: Words) -> Html:
    """Right answers against gold, before and after the release, with the red line."""
    return both(PAGE, lambda width: _accuracy(story, say, width))


def _served(story: Story, say: Words, width: int) -> Html:
    on = frame(width, 232, x_max=len(story.days), y=(0, 1), top=38)
    place = {day.day: number for number, day in enumerate(story.days)}
    return picture(
        on,
        f"served-{width}",
        say("days"),
        served_in_words(story, say),
        *(_bar(on, number, day) for number, day in enumerate(story.days)),
        y_axis(on, (0, 0.5, 1), say.percent),
        x_axis(on, _dates(on, story.days, say)),
        *(
            _turn(on, on.x(place.get(turn.dataset.until.date(), 0) + 1), turn.verdict.kind)
            for turn in story.turns
        ),
    )


def _bar(on: Frame, number: int, day: Day) -> Html:
    left, wide = on.x(number), on.x(1) - on.x(0)
    gap = 2.0 if wide > 8 else 1.0
    top = on.y(day.by_student / day.calls)
    return join(
        box(left + gap / 2, on.top, wide - gap, top - on.top, "teacher"),
        box(left + gap / 2, top, wide - gap, on.bottom - top, "student"),
    )


def _turn(on: Frame, x: float, kind: str) -> Html:
    return join(line((x, 24), (x, on.bottom), f"turn-{kind}"), mark(kind, x, 16))


def _dates(on: Frame, days: Sequence[Day], say: Words) -> list[tuple[float, str]]:
    step = max(1, round(len(days) / (4 if on.narrow else 8)))
    places = range(step // 2, len(days), step)
    return [(number + 0.5, say.day(days[number].day)) for number in places]


def served_in_words(story: Story, say: Words) -> str:
    """What the first chart shows, as text."""
    _, after = stretches(story)
    first = released_on(story)
    turns = str(len(story.turns))
    if first is None or not after:
        return say("days.alt_refused", turns=turns)
    shares = [day.by_student / day.calls for day in after]
    certified = sum(isinstance(turn.verdict, Certificate) for turn in story.turns)
    return say(
        "days.alt",
        release=say.day(first),
        share=say.percent(added(after).share),
        low=say.percent(min(shares)),
        high=say.percent(max(shares)),
        turns=turns,
        certified=str(certified),
        refused=str(len(story.turns) - certified),
    )


def _accuracy(story: Story, say: Words, width: int) -> Html:
    before, after = stretches(story)
    goal = 1 - story.max_loss
    low = _floor(min(window.accuracy for window in [*windows(before), *windows(after)]), goal)
    on = frame(width, 260, x_max=len(story.days), y=(low, 1), top=14)
    place = {day.day: number for number, day in enumerate(story.days)}
    step = 0.1 if 1 - low < 0.55 else 0.2
    ticks = [1 - step * number for number in range(int((1 - low) / step + 1e-9) + 1)]
    return picture(
        on,
        f"gold-{width}",
        say("gold"),
        accuracy_in_words(story, say),
        y_axis(on, ticks, say.percent),
        x_axis(on, _dates(on, story.days, say)),
        _red_line(on, goal, say("gold.line", line=say.percent(goal))),
        *(
            dot(on.x(n + 0.5), on.y(max(low, day.right / day.calls)), 1.6, "day")
            for n, day in enumerate(story.days)
        ),
        _curve(on, before, place, "teacher"),
        _curve(on, after, place, "student") if after else Html(),
    )


def _floor(value: float, goal: float) -> float:
    return max(0.0, int(10 * min(value, goal) - 0.5) / 10)


def _red_line(on: Frame, at: float, label: str) -> Html:
    return join(
        line((on.left, on.y(at)), (on.right, on.y(at)), "red-line"),
        text(label, on.left + 6, on.y(at) - 6, "red-label"),
    )


def _curve(on: Frame, days: Sequence[Day], place: dict[date, int], kind: str) -> Html:
    points = [(on.x(_middle(window, place)), on.y(window.accuracy)) for window in windows(days)]
    whole = added(days)
    left, right = on.x(place[days[0].day]), on.x(place[days[-1].day] + 1)
    return join(
        line((left, on.y(whole.accuracy)), (right, on.y(whole.accuracy)), f"mean-{kind}"),
        path(points, f"curve-{kind}"),
        *(dot(x, y, 3.2, f"knot-{kind}") for x, y in points),
    )


def _middle(window: Window, place: dict[date, int]) -> float:
    return (place[window.days[0].day] + place[window.days[-1].day] + 1) / 2


def accuracy_in_words(story: Story, say: Words) -> str:
    """What the second chart shows, as text."""
    before, after = stretches(story)
    seen = [window.accuracy for window in [*windows(before), *windows(after)]]
    places = {
        "size": str(WINDOW),
        "low": say.percent(min(seen), 1),
        "high": say.percent(max(seen), 1),
        "before": say.percent(added(before).accuracy, 1),
        "line": say.percent(1 - story.max_loss),
    }
    if not after:
        return say("gold.alt_refused", **places)
    return say("gold.alt", after=say.percent(added(after).accuracy, 1), **places)
