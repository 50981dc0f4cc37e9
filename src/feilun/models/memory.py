"""What a model needs in memory, what there is, and how many cores are idle."""

import os
from pathlib import Path

from feilun.errors import Unreachable
from feilun.models.folder import in_mb
from feilun.models.gguf import read_shape

# Beside weights and caches: Python, llama.cpp's graph and its buffers. Measured 24 November 2026
# for the embedded teacher: 85 MB with 4,096 tokens of context, 105 MB with twice 4,096.
_BESIDE = 160 << 20

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def estimate(path: Path, context: int, cache_mib: int) -> int:
    """Bytes that a model will take: weights, keys and values of the context, prompt cache."""
    shape = read_shape(path)
    return (
        path.stat().st_size
        + (shape.token_bytes * context if shape else 0)
        + (cache_mib << 20)
        + _BESIDE
    )


def refuse_what_has_no_room(name: str, needed: int, free: int | None) -> None:
    """Raise Unreachable, before anything is loaded, where the memory is too small."""
    if free is not None and needed > free:
        raise Unreachable(
            f"{name} needs about {in_mb(needed)} of memory and {in_mb(free)} are free: "
            f"{in_mb(needed - free)} are missing. Stop another program, choose a smaller context "
            "under [embedded] in feilun.toml, or a smaller model."
        )


def available(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> int | None:
    """Bytes that can be used without swapping, a container's limit counted. None: not known."""
    found = [each for each in (_of_machine(meminfo), _of_group(group)) if each is not None]
    return min(found) if found else None


def idle_cores() -> int:
    """The cores that this process may use and that were idle in the last minute; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) - round(os.getloadavg()[0]))


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        return None


def _of_group(group: Path) -> int | None:
    """What a cgroup (version 2) leaves: pages of files count as used, and can be taken back."""
    try:
        limit = (group / "memory.max").read_text(encoding="ascii")
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(
            line.split() for line in (group / "memory.stat").read_text("ascii").splitlines()
        )
        return int(limit) - used + int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return None
