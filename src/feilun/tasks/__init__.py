"""What an app declares: tasks, their schemas, their loss and their red line."""

from feilun.tasks.declare import declare, read_task, task
from feilun.tasks.drawing import FLOOR, Drawing, common_rate, rate_of
from feilun.tasks.lots import leads, lot
from feilun.tasks.never import broken_never, forbidden
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
from feilun.tasks.slices import check_tenant, language, slice_of, threshold_of, thresholds, ways
from feilun.tasks.typed import TypedTask

__all__ = [
    "FLOOR",
    "Drawing",
    "TypedTask",
    "broken_never",
    "check_input",
    "check_output",
    "check_tenant",
    "common_rate",
    "declare",
    "forbidden",
    "is_closed",
    "is_text",
    "is_valid",
    "labels",
    "language",
    "leads",
    "loss",
    "lot",
    "messages",
    "rate_of",
    "read_output",
    "read_task",
    "response_format",
    "slice_of",
    "task",
    "threshold_of",
    "thresholds",
    "ways",
]
