"""Text as numbers: hashed word and character n-grams.

Characters serve Chinese, typos and mixed scripts; words serve English and merchants.
Digits become zeros: how long an amount is says something, its value does not.
Hashing needs no vocabulary, so a label, a script or an emoji never seen is no error.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

from feilun.records import Json, stable_json

_DIGIT = re.compile(r"\d")
_READ = 8192  # characters: a megabyte would take 2 s, and labels show themselves early
_BUCKETS = 2**20  # collisions touch under 1 % of 60,000 features; only seen ones are stored


def text_of(input: Json) -> str:
    """The text a student reads: the start of a string, or of anything else as stable JSON."""
    text = input if isinstance(input, str) else stable_json(input).decode()
    return text[:_READ]


def normal(text: str) -> str:
    """Width, case and digits folded: what two spellings of one line share."""
    return _DIGIT.sub("0", unicodedata.normalize("NFKC", text).lower())


def _hasher(analyzer: str, low: int, high: int, pattern: str | None = None) -> HashingVectorizer:
    return HashingVectorizer(
        n_features=_BUCKETS,
        analyzer=analyzer,
        ngram_range=(low, high),
        preprocessor=normal,
        token_pattern=pattern,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )


# Lone letters and symbols are words too: "℞", "票", "$".
_WORDS = _hasher("word", 1, 2, r"\w+|[^\w\s]")
_CHARS = _hasher("char_wb", 1, 4)


def counts(texts: Sequence[str]) -> sp.csr_matrix:
    """Counts of n-grams, shape (texts, 2 * buckets): words first, then characters."""
    return sp.hstack([_WORDS.transform(texts), _CHARS.transform(texts)], format="csr")
