"""What an app declares: tasks, their schemas, their loss and their red line."""

from feilun.tasks.declare import declare, read_task, task
from feilun.tasks.output import (
    check_input,
    check_output,
    is_closed,
    is_text,
    is_valid,
    labels,
    loss,
)
from feilun.tasks.prompt import messages, response_format
from feilun.tasks.reading import read_output
from feilun.tasks.typed import TypedTask

__all__ = [
    "TypedTask",
    "check_input",
    "check_output",
    "declare",
    "is_closed",
    "is_text",
    "is_valid",
    "labels",
    "loss",
    "messages",
    "read_output",
    "read_task",
    "response_format",
    "task",
]
