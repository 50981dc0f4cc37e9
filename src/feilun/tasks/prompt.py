"""A task as a large model sees it. The stable part stands first, for prompt caches."""

import json

from feilun.records import Json, Task
from feilun.tasks.output import is_closed, is_text, labels


def messages(task: Task, input: Json) -> list[dict[str, str]]:
    """Chat messages in OpenAI's form; the answer is expected as the bare JSON output, or as text.

    Shots are turns of the conversation: a 1.5B model was right on 60 % of 60 lines with 32
    of them as turns, on 37 % with 15 of them in the system message.
    """
    turns = [
        turn
        for shot in task.shots
        for turn in (
            {"role": "user", "content": _as_text(shot.input)},
            {"role": "assistant", "content": _shown(task, shot.output)},
        )
    ]
    last = {"role": "user", "content": _as_text(input)}
    return [{"role": "system", "content": f"{task.instructions}\n\n{_form(task)}"}, *turns, last]


def response_format(task: Task) -> dict[str, Json] | None:
    """What holds a server to the output schema; None for open text, which needs no holding.

    `strict` would ask OpenAI for schemas of its own narrow kind; without it any schema is
    taken, and servers that compile a grammar hold to it all the same.
    """
    if is_text(task):
        return None
    schema: dict[str, Json] = task.output_schema
    if is_closed(task):
        schema = {"type": "string", "enum": list(labels(task))}
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}


def _form(task: Task) -> str:
    """The sentence that says in which form the answer is wanted."""
    if is_closed(task):
        allowed = ", ".join(labels(task))
        return f"Answer with one of these labels, in double quotes: {allowed}."
    if is_text(task):
        return "Answer with the text alone."
    schema = json.dumps(task.output_schema, ensure_ascii=False)
    return f"Answer with one JSON value that keeps to this JSON Schema, and nothing else: {schema}"


def _shown(task: Task, output: Json) -> str:
    return output if is_text(task) else json.dumps(output, ensure_ascii=False)


def _as_text(input: Json) -> str:
    return input if isinstance(input, str) else json.dumps(input, ensure_ascii=False)
