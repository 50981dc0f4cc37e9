"""What an app declares: tasks, their schemas, their loss and their red line."""

from feilun.tasks.declare import declare, read_task, task
from feilun.tasks.output import is_valid, labels, loss
from feilun.tasks.prompt import messages

__all__ = ["declare", "is_valid", "labels", "loss", "messages", "read_task", "task"]
