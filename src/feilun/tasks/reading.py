"""Reading a task's output from what a model wrote: bare, quoted, as JSON, in a fence.

Small models wrap a right answer in all of these. Only the wrapping is taken off; an answer
that the task does not allow stays an error.
"""

import json
import re
from collections.abc import Iterator

from feilun.errors import TaskError
from feilun.records import Json, Task
from feilun.tasks.output import check_output, is_closed, is_text, labels

_QUOTES = "\"'`“”‘’「」『』«»"
_THOUGHT = "</think>"  # what open models end their thinking with, when a server leaves it in
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)


def read_output(task: Task, text: str) -> Json:
    """The output that a model's text says. Raises TaskError, without the text, if it says none."""
    said = text.rpartition(_THOUGHT)[2].strip()
    if is_closed(task):
        return _label(task, said)
    if is_text(task):
        return _checked(task, said)
    for candidate in _shells(said):
        try:
            return _checked(task, _parsed(candidate))
        except ValueError:
            continue
    raise TaskError(
        f"Task {task.task}: the model wrote no JSON value. Hold the engine to the schema "
        "(response_format), or ask a larger model."
    )


def _label(task: Task, said: str) -> str:
    allowed = labels(task)
    for candidate in _shells(said):
        bare = candidate if candidate in allowed else candidate.strip(_QUOTES + ".。 \t\r\n")
        if bare in allowed:
            return bare
        if (value := _only_value(candidate)) in allowed:
            return str(value)
    raise TaskError(
        f"Task {task.task}: the model wrote none of the {len(allowed)} labels. Hold the engine "
        "to the schema (response_format), or ask a larger model."
    )


def _only_value(text: str) -> Json:
    """A JSON string, or the one value of a JSON object: `{"label": "food"}`."""
    try:
        value = _parsed(text)
    except ValueError:
        return None
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return value if isinstance(value, str) else None


def _shells(said: str) -> Iterator[str]:
    """The text itself, what stands in its fences, and what stands between its outer brackets."""
    yield said
    yield from (match.group(1).strip() for match in _FENCE.finditer(said))
    for left, right in ("{}", "[]"):
        start, end = said.find(left), said.rfind(right)
        if 0 <= start < end:
            yield said[start : end + 1]


def _parsed(text: str) -> Json:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")


def _checked(task: Task, output: Json) -> Json:
    if broken := check_output(task, output):
        raise TaskError(
            f"Task {task.task}: of what the model wrote, {broken}. Hold the engine to the "
            "schema (response_format), or ask a larger model."
        )
    return output
