"""One JSON object of a log becomes a row, in the shapes that people really have.

A request and its response (OpenAI's, LiteLLM's, Langfuse's, Anthropic's, a batch's), a
fine-tuning example whose last message is the assistant's, or plain input and output.
"""

import json
from collections.abc import Mapping, Sequence

from feilun.appraise import fields
from feilun.appraise.beside import facts, gold_of, named, plain_text, sources, task_of
from feilun.appraise.fields import Choice
from feilun.appraise.row import Broken, Row, clean
from feilun.appraise.said import answer, is_chat, opened
from feilun.discovery.said import TOOLS, Said, content, message, text_of
from feilun.records import Json

LONG = 32_768  # characters of one input or answer: longer ones go to the teacher


def parse(line: int, text: str, choice: Choice) -> Row | Broken:
    """A row of a line of JSONL, or what is wrong with it."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return Broken(line, "not_json")
    if not isinstance(body, dict):
        return Broken(line, "not_an_object")
    try:
        return _row(line, body, choice)
    except RecursionError:
        return Broken(line, "not_json")


def _row(line: int, body: dict[str, Json], choice: Choice) -> Row | Broken:
    if _failed(body):
        return Broken(line, "failed_call")
    asked = _asked(body, choice)
    if asked is None:
        return Broken(line, "no_input")
    context, question, last = asked
    answered = _answered(body, choice) or last
    gold = plain_text(named(body, choice.gold) if choice.gold else gold_of(body))
    why = question.why or (answered.why if answered else None)
    if not question.text.strip() and why is None:
        return Broken(line, "no_input")
    if why is None and gold is None and (answered is None or not answered.text.strip()):
        return Broken(line, "no_answer")
    if max(len(question.text), len(context)) > LONG:
        why = why or "too_long"
    return Row(
        line=line,
        text=clean(question.text) if why is None else "",
        context=clean(context[:LONG]),
        answer=clean(answered.text.strip()[:LONG]) or None if answered else None,
        gold=clean(gold)[:LONG] if gold else None,
        task=task_of(body, choice),
        why=why,
        **facts(body),
    )


def _failed(body: Mapping[str, Json]) -> bool:
    response = body.get("response")
    status = response.get("status_code") if isinstance(response, dict) else body.get("status_code")
    if isinstance(status, int) and status >= 400:
        return True
    inner = response.get("error") if isinstance(response, dict) else None
    return bool(body.get("error")) or bool(inner)


def _asked(body: Mapping[str, Json], choice: Choice) -> tuple[str, Said, Said | None] | None:
    """Context, question and, of a fine-tuning example, the answer. None: nothing was asked."""
    if choice.input:
        value = named(body, choice.input)
        return None if value is None else _question(value, body)
    for source in sources(body):
        for key in ("messages", "prompt", "input", "inputs", "conversations"):
            messages = opened(source.get(key))
            if is_chat(messages):
                return _conversation(messages, source)
    for source in sources(body):
        value = fields.get(source, "input")
        if value is not None:
            return _question(value, source)
    alone = fields.get(body, "system")  # an instruction without an input is the input
    return None if alone is None else ("", Said(text_of(alone)), None)


def _question(value: Json, source: Mapping[str, Json]) -> tuple[str, Said, Said | None]:
    if is_chat(value):
        return _conversation(value, source)
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    system = fields.get(source, "system")
    return ("" if system is None else text_of(system)), Said(text_of(value)), None


def _conversation(
    messages: Sequence[dict[str, Json]], source: Mapping[str, Json]
) -> tuple[str, Said, Said | None]:
    """The last thing said by the user is the question; all before it is context."""
    turns = [(str(m.get("role", m.get("from"))), m) for m in messages]
    last = None
    if turns[-1][0] in ("assistant", "gpt", "model"):
        last = message(turns[-1][1])
        turns = turns[:-1]
    why = _why(turns)
    if not turns:
        return "", Said("", why), last
    system = source.get("system") or source.get("instructions")
    before = [text_of(system)] if system else []
    for role, turn in turns[:-1]:
        said = _content_of(turn).text
        before.append(said if role in ("system", "developer") else f"{role}: {said}")
    question = _content_of(turns[-1][1])
    return "\n".join(before), Said(question.text, why or question.why), last


def _why(turns: Sequence[tuple[str, dict[str, Json]]]) -> str | None:
    if any(role in TOOLS or any(m.get(key) for key in TOOLS) for role, m in turns):
        return "tools"
    said = (content(m.get("content")).why for _, m in turns)
    return next((why for why in said if why), None)


def _answered(body: Mapping[str, Json], choice: Choice) -> Said | None:
    if choice.output:
        value = named(body, choice.output)
        return None if value is None else answer(value)
    if isinstance(body.get("choices"), list):
        return answer(body)
    value = fields.get(body, "output")
    return None if value is None else answer(value)


def _content_of(turn: Mapping[str, Json]) -> Said:
    """The content of one turn, under either of its usual names."""
    return content(turn.get("content", turn.get("value")))
