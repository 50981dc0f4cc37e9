"""Zero-tolerance rules: answers that must never be given, whatever the mean loss is."""

from feilun.records import Json, Never, Task
from feilun.tasks.schema import Schema, broken_rule


def forbidden(task: Task, output: Json) -> Never | None:
    """The rule that an output breaks by itself: it must not be served. None if there is none."""
    return next(
        (
            rule
            for rule in task.red_line.never
            if rule.right is None and _is(task, rule.answer, rule, output)
        ),
        None,
    )


def broken_never(task: Task, output: Json, right: Json) -> Never | None:
    """The rule that an output breaks where `right` would have been right; None if there is none."""
    return next(
        (
            rule
            for rule in task.red_line.never
            if rule.right is not None
            and _is(task, rule.answer, rule, output)
            and _is(task, rule.right, rule, right)
        ),
        None,
    )


def _is(task: Task, schema: Schema, rule: Never, value: Json) -> bool:
    side = "answer" if schema is rule.answer else "right"
    return broken_rule(task.task, task.id, f"{side} of rule {rule.name!r}", schema, value) is None
