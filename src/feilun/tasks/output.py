"""What a task's outputs may be, and how wrong one is.

Only closed sets of labels are learned so far. The loss takes whole JSON values and
gives a number in [0, 1], so a task with several fields changes `LOSSES`, and the
students, but neither the gate nor the ledger.
"""

from collections.abc import Callable

from feilun.errors import TaskError
from feilun.records import Json, Task


def labels(task: Task) -> tuple[str, ...]:
    """The closed set of labels that the task chooses from. Raises TaskError if it has none."""
    enum = task.output_schema.get("enum")
    if not isinstance(enum, list) or not enum or not all(isinstance(x, str) for x in enum):
        raise TaskError(
            f"Task {task.task}: a student needs an output that is one label of a closed set. "
            "Return Literal['a', 'b', ...] or write labels = ['a', 'b'] in the TOML."
        )
    return tuple(enum)


def is_valid(task: Task, output: Json) -> bool:
    """Whether an output keeps to the task's output schema."""
    return isinstance(output, str) and output in labels(task)


def _exact(output: Json, right: Json) -> float:
    return 0.0 if output == right else 1.0


LOSSES: dict[str, Callable[[Json, Json], float]] = {"exact": _exact}


def loss(task: Task, output: Json, right: Json) -> float:
    """How wrong `output` is where `right` is right, in [0, 1]."""
    return LOSSES[task.loss](output, right)
