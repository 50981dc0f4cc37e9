"""HTML that is safe by construction: text is escaped unless it is `Html` already."""

from html import escape
from typing import TypeAlias


class Html(str):
    """Text that is markup: it is not escaped again."""

    __slots__ = ()


Child: TypeAlias = "str | Html | None"
Value: TypeAlias = "str | int | float | None"

_VOID = {"meta", "br", "col", "path", "line", "rect", "circle", "polyline"}


def el(name: str, /, *children: Child, **attributes: Value) -> Html:
    """One element. `class_` and `data_label` become class and data-label; None is left out."""
    pairs = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{pairs}/>")
    return Html(f"<{name}{pairs}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Elements and texts one after the other."""
    return Html("".join(_safe(child) for child in children if child is not None))


def _safe(child: str | Html) -> str:
    return child if isinstance(child, Html) else escape(child, quote=False)


def _attribute(key: str, value: Value) -> str:
    if value is None:
        return ""
    text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
    return f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"'
