"""Likeness of inputs: what counts as the same, and as nearly the same."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from feilun.records import Json, stable_json

_SPACE = re.compile(r"\s+")
_NEAR = 0.8  # Jaccard of character trigrams: one amount changed in a short line falls below
_CHUNK = 1024  # rows compared at a time: bounds memory


def _trigrams(texts: Sequence[str]) -> sp.csr_matrix:
    """Which trigrams of characters each text has, shape (texts, 2**20)."""
    from sklearn.feature_extraction.text import HashingVectorizer  # takes a second to import

    vectorizer = HashingVectorizer(
        n_features=2**20,
        analyzer="char_wb",
        ngram_range=(3, 3),
        lowercase=False,
        norm=None,
        binary=True,
        alternate_sign=False,
        dtype=np.float32,
    )
    return vectorizer.transform(texts)


def same_key(input: Json) -> str:
    """Equal for inputs that differ in width, case or white space alone."""
    text = input if isinstance(input, str) else stable_json(input).decode()
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


def near_any(keys: Sequence[str], others: Sequence[str]) -> NDArray[np.bool_]:
    """For each key whether it is like one of `others`: trigram Jaccard >= 0.8, or equal."""
    hit = np.zeros(len(keys), dtype=bool)
    if not len(keys) or not len(others):
        return hit
    known = set(others)
    right = _trigrams(others)
    sizes = np.asarray(right.sum(axis=1)).ravel()
    across = right.T.tocsr()
    for start in range(0, len(keys), _CHUNK):
        left = _trigrams(keys[start : start + _CHUNK])
        shared = (left @ across).tocoo()
        mine = np.asarray(left.sum(axis=1)).ravel()
        union = mine[shared.row] + sizes[shared.col] - shared.data
        hit[start + shared.row[shared.data >= _NEAR * union]] = True
    same: NDArray[np.bool_] = np.array([key in known for key in keys])
    return hit | same
