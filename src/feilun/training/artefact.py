"""Artefacts: named arrays and a small header in one sealed safetensors blob. Never pickle."""

import json

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from feilun.errors import Unreadable
from feilun.records import Json, digest, stable_json

Arrays = dict[str, NDArray[np.generic]]

_BROKEN = (
    "The artefact is not what its trainer wrote. Train the candidate again "
    "(`feilun turn TASK`); until then the teacher answers."
)


def pack(format: str, header: dict[str, Json], arrays: Arrays) -> bytes:
    """Arrays and a header as bytes; the same content gives the same bytes."""
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    facts: dict[str, Json] = {"format": format, "header": header}
    return _save(ordered, {**facts, "seal": digest(_save(ordered, facts))})


def unpack(format: str, artefact: bytes) -> tuple[dict[str, Json], Arrays]:
    """Read back what `pack` wrote, to the byte. Raises Unreadable for anything else."""
    try:
        size = int.from_bytes(artefact[:8], "little")
        facts = json.loads(json.loads(artefact[8 : 8 + size])["__metadata__"]["feilun"])
        wrote, header = facts["format"], dict(facts["header"])
        arrays = load(artefact)
        whole = pack(wrote, header, arrays) == artefact
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(_BROKEN) from error
    if wrote != format:
        raise Unreadable(f"The artefact is a {wrote!r}, not a {format!r}.")
    if not whole:
        raise Unreadable(_BROKEN)
    return header, arrays


def _save(arrays: Arrays, facts: dict[str, Json]) -> bytes:
    # One key: safetensors writes several in an order that changes from process to process.
    return save(arrays, metadata={"feilun": stable_json(facts).decode()})
