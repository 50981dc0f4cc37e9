"""Artefacts: named arrays and a small header in one safetensors blob. Never pickle."""

import json

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from feilun.errors import Unreadable
from feilun.records import Json, stable_json

Arrays = dict[str, NDArray[np.generic]]


def pack(format: str, header: dict[str, Json], arrays: Arrays) -> bytes:
    """Arrays and a header as bytes; the same content gives the same bytes."""
    meta = {"format": format, "header": stable_json(header).decode()}
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    return save(ordered, metadata=meta)


def unpack(format: str, artefact: bytes) -> tuple[dict[str, Json], Arrays]:
    """Read back what `pack` wrote. Raises Unreadable for anything else."""
    try:
        size = int.from_bytes(artefact[:8], "little")
        meta = json.loads(artefact[8 : 8 + size])["__metadata__"]
        if meta["format"] != format:
            raise Unreadable(f"The artefact is a {meta['format']!r}, not a {format!r}.")
        header = json.loads(meta["header"])
        arrays = load(artefact)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            "The artefact is not what its trainer wrote. Train the candidate again "
            "(`feilun turn TASK`); until then the teacher answers."
        ) from error
    return header, arrays
