"""A task as a large model sees it. The stable part stands first, for prompt caches."""

import json

from feilun.records import Json, Task
from feilun.tasks.output import labels


def messages(task: Task, input: Json) -> list[dict[str, str]]:
    """Chat messages in OpenAI's form; the answer is expected as the bare JSON output.

    Shots are turns of the conversation: a 1.5B model was right on 60 % of 60 lines with 32
    of them as turns, on 37 % with 15 of them in the system message.
    """
    allowed = ", ".join(labels(task))
    system = f"{task.instructions}\n\nAnswer with one of these labels, in double quotes: {allowed}."
    turns = [
        turn
        for shot in task.shots
        for turn in (
            {"role": "user", "content": str(shot.input)},
            {"role": "assistant", "content": json.dumps(shot.output, ensure_ascii=False)},
        )
    ]
    last = {"role": "user", "content": str(input)}
    return [{"role": "system", "content": system}, *turns, last]
