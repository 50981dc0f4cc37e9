"""A frame for a chart: from data to places, axes, and a title and text for those who listen.

Colours come from classes, so that a chart follows the page into the dark and onto paper.
A chart is drawn twice, wide and narrow: scaled text would be too small to read on a phone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from feilun.page.markup import Html, el, join


@dataclass(frozen=True)
class Frame:
    """The plot's box in a picture, and the stretch of y that it shows; x runs from 0 to `x_max`."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_max: float
    y_min: float
    y_max: float

    def x(self, value: float) -> float:
        """Where a value lies from the left."""
        return self.left + (self.right - self.left) * value / self.x_max

    def y(self, value: float) -> float:
        """Where a value lies from the top."""
        share = (value - self.y_min) / (self.y_max - self.y_min)
        return self.bottom - (self.bottom - self.top) * share

    @property
    def narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width < 400


def frame(width: int, height: int, *, x_max: float, y: tuple[float, float], top: int = 12) -> Frame:
    """A frame with room for labels on the left and below."""
    return Frame(width, height, 44, width - 10, top, height - 26, x_max, *y)


def picture(on: Frame, id: str, title: str, alternative: str, *marks: Html) -> Html:
    """The marks as one image with a name and a text alternative."""
    return el(
        "svg",
        el("title", title, id=f"{id}-t"),
        el("desc", alternative, id=f"{id}-d"),
        *marks,
        viewBox=f"0 0 {on.width} {on.height}",
        role="img",
        aria_labelledby=f"{id}-t {id}-d",
        class_="narrow" if on.narrow else "wide",
    )


def both(widths: tuple[int, int], draw: Callable[[int], Html]) -> Html:
    """The same chart for a desk and for a phone; the style sheet shows one of them."""
    return join(*(draw(width) for width in widths))


def y_axis(on: Frame, ticks: Iterable[float], label: Callable[[float], str]) -> Html:
    """Hairlines across, each with its label."""
    return join(
        *(
            join(
                line((on.left, on.y(tick)), (on.right, on.y(tick)), "grid"),
                text(label(tick), on.left - 8, on.y(tick) + 4, "tick end"),
            )
            for tick in ticks
        )
    )


def x_axis(on: Frame, ticks: Iterable[tuple[float, str]]) -> Html:
    """Labels below the plot."""
    return join(*(text(label, on.x(at), on.bottom + 18, "tick middle") for at, label in ticks))


def line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    """A straight line."""
    return el("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=kind)


def path(points: Sequence[tuple[float, float]], kind: str) -> Html:
    """A line through points."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return el("polyline", points=places, class_=kind)


def dot(x: float, y: float, radius: float, kind: str) -> Html:
    """A disc."""
    return el("circle", cx=x, cy=y, r=radius, class_=kind)


def box(x: float, y: float, width: float, height: float, kind: str) -> Html:
    """A filled box."""
    return el("rect", x=x, y=y, width=width, height=max(0.0, height), class_=kind)


def text(words: str, x: float, y: float, kind: str) -> Html:
    """A label."""
    return el("text", words, x=x, y=y, class_=kind)


def mark(kind: str, x: float = 8.0, y: float = 8.0) -> Html:
    """The sign of a verdict, never told by colour alone: a tick in a disc, or a cross in a ring."""
    tick, cross = "M-3 0.3 L-0.9 2.4 L3.1 -2.2", "M-2.3 -2.3 L2.3 2.3 M2.3 -2.3 L-2.3 2.3"
    sign = tick if kind == "certificate" else cross
    return el(
        "g",
        el("circle", cx=0, cy=0, r=6.5, class_=f"disc-{kind}"),
        el("path", d=sign, class_=f"sign-{kind}"),
        transform=f"translate({x:.1f} {y:.1f})",
    )
