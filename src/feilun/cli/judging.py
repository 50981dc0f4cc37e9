"""A person judges calls at the terminal, or a program does, a line of JSON each."""

import json
import sys
from collections.abc import Iterable, Sequence

from feilun.errors import FeilunError, InputError
from feilun.house import House
from feilun.records import Call, Json, Task
from feilun.tasks import check_output, is_closed, is_text, labels
from feilun.terminal import out

_KEYS = "Enter right, e edit, s cannot tell, q quit"
_BLIND_KEYS = "Type the right answer; s cannot tell, q quit"
_LONGEST = 1 << 20  # characters of a line that is read


def judge_in_turn(house: House, calls: Iterable[Call], *, blind: bool) -> None:
    """Show one call after the other, and keep what is said of it at once."""
    judged = skipped = 0
    for call in calls:
        task = house.task(call.task)
        _show(call, task, blind=blind)
        said = _ask(call, task, blind=blind)
        if said is None:
            break
        if said == "s":
            house.auditing.skip(call)
            skipped += 1
        else:
            house.auditing.audit(call, said[0])
            judged += 1
    out.print(f"{judged} judged, {skipped} skipped.", highlight=False)


def judge_by_lines(house: House, due: Sequence[dict[str, Json]]) -> None:
    """Print what waits, read what is said, and answer each line with a line."""
    for each in due:
        print(json.dumps(each, ensure_ascii=False), flush=True)
    for line in iter(lambda: sys.stdin.readline(_LONGEST), ""):
        if line.strip():
            print(json.dumps(_line(house, line), ensure_ascii=False), flush=True)


def _line(house: House, line: str) -> dict[str, Json]:
    try:
        said = json.loads(line)
        if not isinstance(said, dict) or not isinstance(said.get("call"), str):
            raise InputError(
                'A line is {"call": ..., "output": ...} or {"call": ..., "skip": true}.'
            )
        call = house.store.get(Call, said["call"])
        if said.get("skip") is True:
            kept = house.auditing.skip(call)
            return {"call": call.id, "skip": kept.id}
        if "output" not in said:
            raise InputError("A line needs the right output, or skip.")
        if wrong := check_output(house.task(call.task), said["output"]):
            raise InputError(wrong)
        return {"call": call.id, "audit": house.auditing.audit(call, said["output"]).id}
    except (ValueError, RecursionError):
        return {"error": "That line is no JSON."}
    except FeilunError as error:
        return {"error": str(error)}


def _show(call: Call, task: Task, *, blind: bool) -> None:
    out.rule(f"{task.task} {call.id}")
    out.print(_text(call.input), markup=False, highlight=False, soft_wrap=True)
    if not blind:
        out.print(f"-> {_text(call.output)}", style="bold", markup=False, soft_wrap=True)
    if blind and is_closed(task):
        out.print(", ".join(labels(task)), style="dim", markup=False, soft_wrap=True)
    out.print(_BLIND_KEYS if blind else _KEYS, style="dim")


def _ask(call: Call, task: Task, *, blind: bool) -> tuple[Json] | str | None:
    """The right output in a tuple, "s" for a skip, None to end."""
    while True:
        said = _read()
        if said is None or said == "q":
            return None
        if said == "s":
            return "s"
        if blind or said == "e":
            edited = said if blind else _read("right: ")
            if edited is None:
                return None
            output = _output(task, edited)
            wrong = check_output(task, output)
            if wrong is None:
                return (output,)
            out.print(wrong, markup=False, soft_wrap=True)
        elif said == "":
            return (call.output,)
        else:
            out.print(_KEYS, style="dim")


def _read(prompt: str = "> ") -> str | None:
    """A line, or None at the end of the input."""
    try:
        return input(prompt).strip()
    except EOFError:
        return None


def _output(task: Task, text: str) -> Json:
    """What a person typed: a text as it is where the task answers in text, else JSON."""
    if is_text(task) or is_closed(task):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
