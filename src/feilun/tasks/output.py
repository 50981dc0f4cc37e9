"""What a task's outputs may be, what a model's text says, and how wrong an output is.

A task answers with one label of a closed set, with text, or with JSON by a schema. Students
learn closed sets so far; a teacher answers all three. The loss takes whole JSON values and
gives a number in [0, 1], so a task with several fields changes `LOSSES`, and the students,
but neither the gate nor the ledger.
"""

from collections.abc import Callable

from feilun.errors import TaskError
from feilun.records import Json, Task
from feilun.tasks.schema import broken_rule


def is_closed(task: Task) -> bool:
    """Whether the output is one label of a closed set."""
    enum = task.output_schema.get("enum")
    return isinstance(enum, list) and bool(enum) and all(isinstance(x, str) for x in enum)


def is_text(task: Task) -> bool:
    """Whether the output is open text, and not JSON."""
    schema = task.output_schema
    return schema.get("type") == "string" and "enum" not in schema and "const" not in schema


def labels(task: Task) -> tuple[str, ...]:
    """The closed set of labels that the task chooses from. Raises TaskError if it has none."""
    if not is_closed(task):
        raise TaskError(
            f"Task {task.task}: a student needs an output that is one label of a closed set. "
            "Return Literal['a', 'b', ...] or write labels = ['a', 'b'] in the TOML."
        )
    return tuple(task.output_schema["enum"])


def is_valid(task: Task, output: Json) -> bool:
    """Whether an output keeps to the task's output schema."""
    if is_closed(task):
        return isinstance(output, str) and output in task.output_schema["enum"]
    return check_output(task, output) is None


def check_output(task: Task, output: Json) -> str | None:
    """Which rule of the output schema an output breaks, in words without its content; or None."""
    return broken_rule(task.task, task.id, "output", task.output_schema, output)


def check_input(task: Task, input: Json) -> str | None:
    """Which rule of the input schema an input breaks, in words without its content; or None."""
    if task.input_schema == {"type": "string"} and isinstance(input, str):
        return None
    return broken_rule(task.task, task.id, "input", task.input_schema, input)


def _exact(output: Json, right: Json) -> float:
    return 0.0 if output == right else 1.0


LOSSES: dict[str, Callable[[Json, Json], float]] = {"exact": _exact}


def loss(task: Task, output: Json, right: Json) -> float:
    """How wrong `output` is where `right` is right, in [0, 1]."""
    return LOSSES[task.loss](output, right)
