"""The tasks in a log: rows by task, each with its input, its right answer and its kind."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feilun.appraise import prompts
from feilun.appraise.prompts import Prompt
from feilun.appraise.row import Row
from feilun.datasets.similar import same_key
from feilun.discovery.answers import Answers, Kind, answers, reading
from feilun.discovery.naming import slug, unique

_OTHER = "other"
_WRONG = "(judged wrong)"  # the gold of a row of which only that is known
# N-grams are made of 1 million characters a second: 4,000 inputs of this length take 5 s.
_READS, _START = 1200, 800  # characters
_SMALL = 20  # rows: a smaller group, and a small part of the log, is no task of its own
_SMALL_SHARE = 0.05


@dataclass(slots=True)
class Unit:
    """One call of a task as it is judged. `right` is a label, or text outside of the labels."""

    row: Row
    key: str  # equal for calls with the same input
    answer: str | None  # the log's answer, as a label where it is one
    gold: str | None  # what people judged right

    @property
    def right(self) -> str:
        """Gold where there is one, else the answer of the log."""
        return self.gold if self.gold is not None else self.answer or ""


@dataclass
class Found:
    """One task of the log. `out` are rows that no student would be asked or trained on."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    units: list[Unit]
    out: dict[str, list[int]]  # reason to line numbers
    rows: list[Row]
    notes: list[str]


def discover(rows: Sequence[Row], title: str) -> list[Found]:
    """Find the tasks in a log; the largest first. `title` names a task that has no other name."""
    named: dict[str, list[Row]] = defaultdict(list)
    free = [row for row in rows if row.task is None]
    for row in rows:
        if row.task is not None:
            named[row.task].append(row)
    groups = [(name, _stripped(held)) for name, held in named.items()]
    groups += _grouped(free, title)
    taken: set[str] = set()
    ordered = sorted(groups, key=lambda group: -len(group[1]))
    return [_found(unique(words, taken), words, held) for words, held in ordered]


def _prompts(rows: Sequence[Row]) -> list[Prompt]:
    return [Prompt(r.context, r.text, reading(r.answer or r.gold or "").form) for r in rows]


def _stripped(rows: list[Row]) -> list[Row]:
    """Rows of a named task, each with its input in place of its prompt."""
    for group in prompts.group(_prompts(rows)):
        _put(rows, group)
    return rows


def _put(rows: Sequence[Row], group: prompts.Group) -> list[Row]:
    held = [rows[i] for i in group.rows]
    for row, text in zip(held, group.inputs, strict=True):
        row.text = _read_part(text)
    return held


def _read_part(text: str) -> str:
    """What a student reads of an input: all, or the start and the end of a long one."""
    return text if len(text) <= _READS else f"{text[:_START]}\n...\n{text[_START - _READS :]}"


def _grouped(rows: Sequence[Row], title: str) -> list[tuple[str, list[Row]]]:
    """Rows without a name by their prompts; groups too small to be a task are one, "other"."""
    if not rows:
        return []
    groups = [(g.words, _put(rows, g)) for g in prompts.group(_prompts(rows))]
    least = min(_SMALL, _SMALL_SHARE * len(rows))
    small = [held for _, held in groups if len(held) < least]
    large = [
        (words if slug(words) else title, held) for words, held in groups if len(held) >= least
    ]
    if small:
        rest = sorted((row for held in small for row in held), key=lambda row: row.line)
        large.append((_OTHER, rest))
    return large


def _found(name: str, words: str, rows: list[Row]) -> Found:
    out: dict[str, list[int]] = defaultdict(list)
    usable = []
    for row in rows:
        if row.why:
            out[row.why].append(row.line)
        else:
            usable.append(row)
    keys = [same_key(row.text) for row in usable]
    notes = _settle_gold(usable)
    said = [
        (key, text)
        for key, row in zip(keys, usable, strict=True)
        for text in (row.answer, row.gold)
        if text is not None and text != _WRONG
    ]
    kinds = answers(said)
    kind = _kind(kinds, out, len(usable), is_rest=words is _OTHER)
    units = [_unit(row, key, kinds.labels) for key, row in zip(keys, usable, strict=True)]
    labels = tuple(sorted(set(kinds.labels.values())))
    if kind == "labels":
        known = set(labels)
        for unit in units:
            if unit.right not in known:
                out["judged_wrong" if unit.gold == _WRONG else "rare_answer"].append(unit.row.line)
        notes += _vocabulary(units)
    return Found(name, kind, labels, units, dict(out), rows, notes)


def _kind(kinds: Answers, out: Mapping[str, list[int]], usable: int, *, is_rest: bool) -> Kind:
    if is_rest:
        return "too_varied"
    for why in ("tools", "media"):
        if len(out.get(why, ())) > usable:
            return "tools" if why == "tools" else "media"
    return kinds.kind


def _unit(row: Row, key: str, labels: Mapping[str, str]) -> Unit:
    def label(text: str | None) -> str | None:
        return None if text is None else labels.get(reading(text).form, text[:200])

    return Unit(row, key, label(row.answer), label(row.gold))


def _settle_gold(rows: Sequence[Row]) -> list[str]:
    """Where nothing but gold was logged it is the answer; where gold says yes or no, resolve it."""
    golds = [row for row in rows if row.gold is not None]
    if not golds:
        return []
    if all(row.answer is None for row in rows):
        for row in rows:
            row.answer, row.gold = row.gold, None
        return ["The log holds one answer a row: agreement with it is judged."]
    said = {reading(row.answer).form for row in rows if row.answer}
    marks = {reading(row.gold).form for row in golds if row.gold}
    if all(_judged(mark) is not None for mark in marks) and not marks & said:
        for row in golds:
            row.gold = row.answer if _judged(row.gold or "") else _WRONG
        return [
            "The gold column says whether the answer was right: a wrong one counts against any."
        ]
    return []


def _vocabulary(units: Sequence[Unit]) -> list[str]:
    golds = Counter(u.gold for u in units if u.gold is not None)
    said = {u.answer for u in units}
    if golds and not set(golds) & said:
        return [
            "No gold answer is ever given by the log's answers: look whether the right column "
            "is taken for gold (--gold-column)."
        ]
    return []


_YES = {"true", "yes", "y", "1", "right", "correct", "对", "是", "正确"}
_NO = {"false", "no", "n", "0", "wrong", "incorrect", "错", "否", "错误", "不正确"}


def _judged(said: str) -> bool | None:
    """Whether a gold cell says that the answer was right; None where it is an answer itself."""
    form = reading(said).form
    return True if form in _YES else False if form in _NO else None
