"""Blobs: files in a folder, each named by the sha256 of its bytes."""

import os
import re
import tempfile
from pathlib import Path

from feilun.errors import Damaged, NotFound, StoreError
from feilun.records import digest as digest_of

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """Content-addressed files: `<folder>/ab/abcd…`, readable by their owner only.

    - `put` returns when the bytes and their name are on the disk. Under a blob's
      name there is never a part of it, whenever the machine stops.
    - `fetch` returns the bytes that were put, or raises NotFound or Damaged.
    - Putting a damaged blob's bytes again repairs it.
    - Any thread and any process may put and fetch at the same time.

    Opening raises StoreError when the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            make_folder(folder)
        except OSError as error:
            raise StoreError(
                f"the folder {folder} for blobs cannot be made ({error.strerror}). "
                "Name a folder that you may write to"
            ) from error

    def put(self, data: bytes) -> str:
        """Keep some bytes and return their address. Raises StoreError if they are not kept."""
        name = digest_of(data)
        path = self._path(name)
        try:
            make_folder(path.parent)
            if not _holds(path, data):
                _write(path, data)
            sync_folder(path.parent)
        except OSError as error:
            raise StoreError(
                f"a blob of {len(data)} bytes cannot be written under {self._folder} "
                f"({error.strerror}). Free some space or check who owns the folder"
            ) from error
        return name

    def fetch(self, digest: str) -> bytes:
        """The bytes at an address. Raises NotFound, Damaged, or StoreError for no address."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(
                f"{digest[:80]!r} is no address of a blob: use the 64 hex digits that `put` gave"
            )
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"no blob {digest} lies under {self._folder}") from error
        except OSError as error:
            raise StoreError(f"the blob {path} cannot be read ({error.strerror})") from error
        if digest_of(data) != digest:
            raise Damaged(
                f"the blob {path} is not what was written. Nothing was changed; "
                "restore this file from a backup, or put the same bytes again"
            )
        return data

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for its owner only; durable on return."""
    missing = [folder, *folder.parents]
    missing = missing[: next(i for i, path in enumerate(missing) if path.exists())]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk: a file's own fsync leaves them out."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _write(path: Path, data: bytes) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)  # 0600 by contract
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
