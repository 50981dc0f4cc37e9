"""Slices: by what a task's calls can be told apart before the answer leaves.

The label is the answer itself, the language is the script of the input, the tenant is who
is served. None of them needs to know what would have been right, so a red line can be held
in each slice, and the served answer can be picked by it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from feilun.errors import TaskError
from feilun.records import Json, Slice, Slicing, Task, stable_json
from feilun.tasks.output import is_closed

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_READ = 2_000  # characters of an input that say its language: bounds the time of a call
_NAME = 200  # characters of a tenant's name
_SOME = 0.1  # a script below this share of the letters is a name or a quotation


def ways(task: Task) -> tuple[Slicing, ...]:
    """The ways in which a task's calls can be cut. Only closed sets have labels."""
    return tuple(by for by in Slicing if by is not Slicing.LABEL or is_closed(task))


def slice_of(by: Slicing, input: Json, output: Json, tenant: str | None) -> str:
    """The name of a call's slice: "label:refund", "language:zh", "tenant:acme".

    A call of nobody in particular is of the slice "tenant:".
    """
    if by is Slicing.LANGUAGE:
        return f"{by}:{language(input)}"
    if by is Slicing.TENANT:
        return f"{by}:{tenant or ''}"
    return f"{by}:{output if isinstance(output, str) else stable_json(output).decode()}"


def check_tenant(tenant: str) -> str:
    """The name of a tenant as it came. Raises TaskError for one that cannot be kept or shown."""
    if not tenant or len(tenant) > _NAME or not tenant.isprintable():
        raise TaskError(
            f"A tenant is named by 1 to {_NAME} printable characters. Send a shorter name, or none."
        )
    return tenant


def threshold_of(
    slices: Mapping[str, float], input: Json, output: Json, tenant: str | None
) -> float | None:
    """The threshold of a call's slice, of slices that are all cut in one way; None without one."""
    by = Slicing(next(iter(slices), "label:").partition(":")[0])
    return slices.get(slice_of(by, input, output, tenant))


def thresholds(slices: Iterable[Slice]) -> dict[str, float] | None:
    """The thresholds that a certificate gives slices; None where its line is that of all calls."""
    found = {one.name: one.threshold for one in slices if one.threshold is not None}
    return found or None


def language(input: Json) -> str:
    """zh, en, mixed or other, by the share of Han and of Latin letters in an input's text.

    It tells scripts apart, not languages: French is "en" here, and kana or Cyrillic "other".
    """
    text = " ".join(_texts(input))[:_READ]
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    letters = sum(map(str.isalpha, text))
    if han + latin <= letters / 2:
        return "other"
    if min(han, latin) > _SOME * letters:
        return "mixed"
    return "zh" if han > latin else "en"


def _texts(input: Json) -> Iterator[str]:
    """The texts in an input, without recursion and without the names of fields."""
    rest, length = [input], 0
    while rest and length < _READ:
        node = rest.pop()
        if isinstance(node, str):
            length += len(node)
            yield node[:_READ]
        elif isinstance(node, dict):
            rest.extend(reversed(node.values()))
        elif isinstance(node, list):
            rest.extend(reversed(node))
