"""Text as numbers: hashed word and character n-grams.

Characters serve Chinese, typos and mixed scripts; words serve English and merchants.
Digits become zeros: how long an amount is says something, its value does not.
Hashing needs no vocabulary, so a label, a script or an emoji never seen is no error.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from feilun.records import Json, stable_json
from feilun.training.murmur import Ints, UInts, murmur

_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"\w+|[^\w\s]")  # lone letters and symbols are words too: "℞", "票", "$"
_READ = 8192  # characters: a megabyte would take 2 s, and labels show themselves early
_BITS = 20  # buckets: collisions touch under 1 % of 60,000 features; only seen ones are stored
_BUCKETS = 2**_BITS
_BUCKET = _BUCKETS - 1
_ROW = _BITS + 1  # words and characters have buckets of their own
_EITHER = 2 * _BUCKETS - 1

_AT_ONCE = 8192  # characters: their n-grams, and products with 100 labels, take some 10 MB
_CONTINUED = -64  # bytes below it, signed, are not the first of a character
_SHORTER = np.arange(4)[:, None]  # n-grams have one character more: at most 4, or 16 bytes


@dataclass(frozen=True)
class Counts:
    """How often the n-grams of some texts fall into which bucket.

    Three arrays side by side, one entry for each bucket of each text, in the order of the
    texts and then of the buckets.
    """

    texts: int
    rows: Ints
    buckets: NDArray[np.int32]
    times: NDArray[np.float32]

    def matrix(self) -> sp.csr_matrix:
        """Shape (texts, 2 * buckets): words first, then characters."""
        shape = (self.texts, 2 * _BUCKETS)
        return sp.csr_matrix((self.times, (self.rows, self.buckets)), shape=shape)


def text_of(input: Json) -> str:
    """The text a student reads: the start of a string, or of anything else as stable JSON."""
    text = input if isinstance(input, str) else stable_json(input).decode()
    return text[:_READ]


def normal(text: str) -> str:
    """Width, case and digits folded: what two spellings of one line share."""
    # Cut again, since folding makes 18 characters of some.
    return _DIGIT.sub("0", unicodedata.normalize("NFKC", text).lower()[:_READ])


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """All texts, some at a time: what is made of them shall fit into a small memory."""
    first, size = 0, 0
    for number, text in enumerate(texts, 1):
        size += len(text) + 1
        if size > _AT_ONCE or number == len(texts):
            yield texts[first:number]
            first, size = number, 0


def counts(texts: Sequence[str]) -> Counts:
    """Counts of n-grams: words and pairs of them, and one to four characters within a word."""
    found, first = [np.zeros(0, dtype=np.int64)], 0
    for batch in batches(texts):
        found += _keys([normal(text) for text in batch], first)
        first += len(batch)
    keys = np.concatenate(found)
    keys.sort()
    is_first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    firsts = is_first.nonzero()[0]
    times = np.empty(len(firsts), dtype=np.float32)
    np.subtract(firsts[1:], firsts[:-1], out=times[:-1], casting="unsafe")
    times[-1:] = len(keys) - firsts[-1:]
    keys = keys[firsts]
    return Counts(len(texts), keys >> _ROW, (keys & _EITHER).astype(np.int32), times)


def _keys(texts: list[str], first: int) -> tuple[Ints, Ints]:
    """The row, from `first` on, and the bucket, as one number, of each n-gram of some texts."""
    from sklearn.utils import murmurhash3_32  # takes a second, which a gateway starts without

    words = [
        row << _ROW | abs(murmurhash3_32(gram.encode(errors="surrogatepass"))) & _BUCKET
        for row, text in enumerate(texts, first)
        for gram in _word_grams(text)
    ]
    rows, hashes = _character_grams([text.split() for text in texts])
    # The least of all numbers stays itself under abs(), and its last bits are zeros.
    buckets = np.abs(hashes.view(np.int32)) & _BUCKET
    return np.array(words, dtype=np.int64), (rows + first) << _ROW | _BUCKETS | buckets


def _word_grams(text: str) -> list[str]:
    words = _WORD.findall(text)
    return [*words, *map(" ".join, pairwise(words))]


def _character_grams(words: list[list[str]]) -> tuple[Ints, UInts]:
    """Of each n-gram of characters, the text in which it stands and its hash.

    `words` are those of each text. A word begins and ends with a space, and no n-gram goes
    beyond its word.
    """
    framed = [(row, f" {word} ") for row, each in enumerate(words) for word in each]
    # Half a letter, which JSON can say and UTF-8 cannot, is counted as well.
    text = "".join([word for _, word in framed]).encode(errors="surrogatepass")
    starts = (np.frombuffer(text + b" ", dtype=np.int8) >= _CONTINUED).nonzero()[0]
    facts = np.array([(row, len(word)) for row, word in framed], dtype=np.int64).reshape(-1, 2)
    rows, sizes = facts.T
    ends = np.add.accumulate(sizes)
    left = ends.repeat(sizes)
    left -= np.arange(len(left))  # characters to the end of the word
    lengths, first = (left > _SHORTER).nonzero()
    at = starts[first]
    lengths += first
    lengths += 1
    return rows.repeat(sizes)[first], murmur(text, at, starts[lengths] - at)
