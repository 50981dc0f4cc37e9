"""The house's planning: what to do next for a task, and how good such plans have been."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feilun import certify, datasets, planning, watch
from feilun.house.learning import CertifierLook, Learnt, learn
from feilun.house.log import Log
from feilun.planning import Calibration, Outcome, Situation
from feilun.ports import Progress, Trainer
from feilun.records import (
    Audit,
    Call,
    Ended,
    Feedback,
    Measured,
    Plan,
    Posting,
    Price,
    Task,
)

HORIZON_DAYS = 90  # a quarter: the shortest time over which people speak of a return


@dataclass(frozen=True)
class Gathered:
    """What a turn would take: a dataset, the number of its look, and how audits are shared.

    `calibrating` is the share of the audits to come that would decide; the others train.
    """

    built: datasets.Built
    attempt: int
    calibrating: float


@dataclass(frozen=True)
class Moment:
    """When a plan is made, and what it takes as given. None: the seconds are measured."""

    seen: int
    at: datetime
    horizon_days: int
    currency: str
    prices: Mapping[str, Price]
    measured: Measured | None


class Planning:
    """Plans the next turn of a task from the log.

    `past` gives this room as of a row, with the trainer of a name, or with this one.
    """

    def __init__(
        self,
        log: Log,
        trainer: Trainer,
        gather: Callable[[str, datetime], Gathered],
        past: Callable[[int, str], "Planning"],
    ) -> None:
        self._log = log
        self._trainer = trainer
        self._gather = gather
        self._past = past

    def plan(
        self, name: str, horizon_days: int = HORIZON_DAYS, progress: Progress | None = None
    ) -> list[Plan]:
        """What could be done next for a task, the best first; it is kept in the log."""
        seen, at, book = self._log.store.head().seq, self._log.clock.now(), self._log.book
        found = (book.price(item, at) for item in book.items())
        prices = {price.item: price for price in found if price}
        moment = Moment(seen, at, horizon_days, book.currency, prices, None)
        plans = self._past(seen, self._trainer.name).derive(name, moment, progress)
        self._log.keep(*plans)
        return planning.ranked(plans)

    def again(self, plan: Plan) -> list[Plan]:
        """The plans that were made with this one, derived from the log as it then was.

        Raises Unreadable where its trainer is not at hand.
        """
        kept = (self._log.store.get(Price, id) for id in plan.prices)
        prices = {price.item: price for price in kept}
        moment = Moment(plan.seen, plan.at, plan.horizon_days, plan.currency, prices, plan.measured)
        return self._past(plan.seen, plan.trainer).derive(plan.task, moment, None)

    def outcomes(self, name: str) -> list[Outcome]:
        """The plans to train that a verdict has followed, and what it said."""
        plans = self._log.store.read(Plan, name)
        return planning.outcomes(plans, self._log.verdicts(name))

    def calibration(self, past: Sequence[Outcome]) -> tuple[Calibration, float, float]:
        """How many intervals held, and the 95 % interval of the share that does."""
        found = planning.calibration(past)
        return found, *certify.interval(found.held, found.intervals)

    def derive(self, name: str, moment: Moment, progress: Progress | None) -> list[Plan]:
        """The plans of a moment, from the log as this room has it."""
        task, gathered = self._log.task(name), self._gather(name, moment.at)
        examples = gathered.built.train
        steps = _Steps(len(examples), progress)
        learnt = learn(self._trainer, task, examples, steps)
        now = self._situation(task, moment, gathered, learnt)
        delta = certify.budget(task.red_line.confidence, gathered.attempt)
        look = CertifierLook(task.red_line.max_loss, delta)
        return [planning.weigh(now, option, look) for option in planning.options(now, look)]

    def _situation(
        self, task: Task, moment: Moment, gathered: Gathered, learnt: Learnt
    ) -> Situation:
        calls = list(self._log.store.read(Call, task.task))
        moved = self._log.pointer(task.task)
        served = moved.at if moved and moved.variant else None
        traffic = planning.traffic(calls, moment.at, served)
        measured = moment.measured or learnt.measured
        amounts = {item: price.amount for item, price in moment.prices.items()}
        postings = self._log.store.read(Posting, task.task)
        costs = planning.costs(postings, amounts, measured, moment.at)
        waiting, unjudged = self._unjudged(task.task, calls)
        return Situation(
            task=task.task,
            trainer=self._trainer.name,
            at=moment.at,
            seen=moment.seen,
            horizon_days=moment.horizon_days,
            examples=len(gathered.built.train),
            audits=len(gathered.built.calibration),
            calibrating=gathered.calibrating,
            waiting=waiting,
            unjudged=unjudged,
            held=learnt.held,
            points=learnt.points,
            curve=planning.fit(learnt.points),
            traffic=traffic,
            costs=costs,
            measured=measured,
            currency=moment.currency,
            prices=tuple(sorted(price.id for price in moment.prices.values())),
            unknown=(*_unknown(task, learnt.problem, traffic is None), *costs.unknown),
        )

    def _unjudged(self, name: str, calls: Sequence[Call]) -> tuple[int, int]:
        """Whole calls drawn for an audit that has not come, and those that no person judged."""
        audited = {audit.call for audit in self._log.store.read(Audit, name)}
        said = {feedback.call for feedback in self._log.store.read(Feedback, name)}
        rest = [c for c in calls if c.ended is Ended.COMPLETE and c.id not in audited]
        return sum(map(watch.drawn, rest)), sum(call.id not in said for call in rest)


class _Steps:
    """Progress in examples learnt from: all of them, and seven eighths again."""

    def __init__(self, examples: int, progress: Progress | None) -> None:
        self._total = sum(examples // share for share in (1, 2, 4, 8))
        self._done = 0
        self._progress = progress

    def __call__(self, examples: int) -> None:
        self._done += examples
        if self._progress:
            self._progress(min(self._done, self._total), self._total)


def _unknown(task: Task, problem: str | None, quiet: bool) -> list[str]:
    """What the log does not say."""
    found = [problem] if problem else []
    if quiet:
        found.append("calls per day: the last four weeks of the log hold less than a day of them")
    if task.red_line.per is not None:
        found.append("how each slice would do: planned as if the line were held over all calls")
    return found
