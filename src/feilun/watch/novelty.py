"""How new an input is: the share of its trigrams that no training example has.

Trigrams of characters know no language, and a table of bits holds those of any training
set in 256 kB. Two trigrams may share a bit: then an input looks a little less new.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feilun.records import Json, stable_json

_BITS = 1 << 21
_MOST = 10_000  # characters that are looked at
_MIX = np.array([2654435761, 2246822519, 3266489917], dtype=np.uint64)  # xxHash's primes


class Novelty:
    """Knows the trigrams of some inputs."""

    def __init__(self, inputs: Iterable[Json]) -> None:
        known = np.zeros(_BITS, dtype=np.bool_)
        for each in inputs:
            known[_places(each)] = True
        self._known = np.packbits(known)

    def __call__(self, input: Json) -> float:
        """The share of the input's trigrams that are new, in [0, 1]."""
        places = _places(input)
        known = self._known[places >> 3] >> (7 - (places & 7)).astype(np.uint8) & 1
        return 1 - float(known.mean()) if len(places) else 0.0


def _places(input: Json) -> NDArray[np.int64]:
    """A bit for each trigram of an input, with its ends marked."""
    text = input if isinstance(input, str) else stable_json(input).decode()
    marked = f"\x02{text[:_MOST]}\x03"
    codes = np.frombuffer(marked.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(
        np.uint64
    )
    mixed = codes[:-2] * _MIX[0] ^ codes[1:-1] * _MIX[1] ^ codes[2:] * _MIX[2]
    places: NDArray[np.int64] = ((mixed ^ mixed >> np.uint64(15)) % _BITS).astype(np.int64)
    return places
