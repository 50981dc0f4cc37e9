"""What a story says beyond its fields: picked and added up, never estimated anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from feilun.demo import Day, Story
from feilun.errors import StoreError
from feilun.house import Turn
from feilun.records import Certificate, Refusal
from feilun.store.blobs import FolderBlobs
from feilun.verify import Check

WINDOW = 5  # days: the sample's 40 calls a day make about 200 a window


@dataclass(frozen=True)
class Proof:
    """A turn that got a certificate."""

    turn: Turn
    certificate: Certificate


@dataclass(frozen=True)
class Window:
    """Some days of one stretch, added up."""

    days: Sequence[Day]
    calls: int
    by_student: int
    right: int

    @property
    def share(self) -> float:
        """The share of calls that the student served."""
        return self.by_student / self.calls

    @property
    def accuracy(self) -> float:
        """The share of right answers, against gold."""
        return self.right / self.calls


def proof(story: Story) -> Proof | None:
    """The turn whose certificate put the present student to work."""
    found = None
    for turn in story.turns:
        if turn.release and isinstance(turn.verdict, Certificate):
            found = Proof(turn, turn.verdict)
    return found


def refusals(story: Story) -> list[Refusal]:
    """All refusals, in order."""
    return [turn.verdict for turn in story.turns if isinstance(turn.verdict, Refusal)]


def calls(story: Story) -> int:
    """All calls of the story."""
    return sum(day.calls for day in story.days)


def released_on(story: Story) -> date | None:
    """The day at whose end the first student was released."""
    return next((turn.release.at.date() for turn in story.turns if turn.release), None)


def stretches(story: Story) -> tuple[Sequence[Day], Sequence[Day]]:
    """The days until the first release, and those after it."""
    first = released_on(story)
    before = [day for day in story.days if first is None or day.day <= first]
    return before, story.days[len(before) :]


def windows(days: Sequence[Day], size: int = WINDOW) -> Iterator[Window]:
    """Stretches of `size` days added up; the last one may be shorter."""
    for start in range(0, len(days), size):
        yield added(days[start : start + size])


def added(days: Sequence[Day]) -> Window:
    """Some days as one. Raises ValueError for none."""
    if not days:
        raise ValueError("A window needs at least one day.")
    return Window(
        days=days,
        calls=sum(day.calls for day in days),
        by_student=sum(day.by_student for day in days),
        right=sum(day.right for day in days),
    )


def spent(story: Story) -> float:
    """The error probability that the looks so far have spent."""
    return sum(turn.verdict.delta for turn in story.turns)


def problems(story: Story) -> list[Check]:
    """The checks that did not come out the same."""
    return [check for check in story.checks if check.problem]


def weight(story: Story, found: Proof) -> int | None:
    """The bytes of a student's artefact; None where its blob cannot be read."""
    folder = story.folder / "blobs"
    if not folder.is_dir():
        return None
    try:
        return len(FolderBlobs(folder).fetch(found.turn.candidate.artefact))
    except StoreError:
        return None
