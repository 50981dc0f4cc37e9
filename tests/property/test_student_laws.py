"""What the linear student says, against scikit-learn and scipy, which are slower at it."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import murmurhash3_32

from feilun.ports import Prediction
from feilun.testing.contracts_trainer import kiosk_examples
from feilun.testing.kiosk import KIOSK, lines
from feilun.training.artefact import unpack
from feilun.training.features import counts, normal
from feilun.training.linear import LinearTrainer
from feilun.training.murmur import LONGEST, murmur

BUCKETS = 2**20
ARTEFACT = LinearTrainer().train(KIOSK, kiosk_examples(300)).artefact
STUDENT = LinearTrainer().load(ARTEFACT)

# All that Unicode has but halves of letters, which scikit-learn cannot read; and lines that
# the student knows something of.
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.text("ab \t\u3000①٣茶🥐é.-_", max_size=60),
        st.sampled_from([line.text for line in lines(50, seed=21)]),
    ),
    max_size=12,
)


def vectorizer(analyzer: str, grams: tuple[int, int], pattern: str | None) -> HashingVectorizer:
    return HashingVectorizer(
        n_features=BUCKETS, analyzer=analyzer, ngram_range=grams, preprocessor=normal,
        token_pattern=pattern, norm=None, alternate_sign=False, dtype=np.float32,
    )  # fmt: skip


WORDS = vectorizer("word", (1, 2), r"\w+|[^\w\s]")
CHARACTERS = vectorizer("char_wb", (1, 4), None)


def reference_counts(texts: Sequence[str]) -> sp.csr_matrix:
    return sp.hstack([WORDS.transform(texts), CHARACTERS.transform(texts)], format="csr")


def reference_predictions(texts: Sequence[str]) -> list[Prediction]:
    header, arrays = unpack("feilun.linear/1", ARTEFACT)
    index, idf = arrays["index"], arrays["idf"]
    raw = reference_counts(texts)
    place = np.searchsorted(index, raw.indices)
    place[place == len(index)] = 0
    known = index[place] == raw.indices
    values = np.where(known, (1 + np.log(raw.data)) * idf[place], 0).astype(np.float32)
    rows = np.repeat(np.arange(len(texts)), np.diff(raw.indptr))
    length = np.sqrt(np.bincount(rows, values**2, minlength=len(texts)))
    values /= np.maximum(length, 1e-12)[rows]
    shape = (len(texts), len(index))
    weighed = sp.csr_matrix((values[known], (rows[known], place[known])), shape=shape)
    scores = (weighed @ arrays["sparse"] + arrays["bias"]).astype(np.float64)
    said = np.exp(log_softmax(header["sharpness"] * scores, axis=1))
    return [Prediction(header["labels"][row.argmax()], round(float(row.max()), 6)) for row in said]


@given(st.binary(min_size=1, max_size=80), st.data())
def test_a_piece_of_bytes_has_the_hash_that_scikit_learn_gives_it(
    text: bytes, data: st.DataObject
) -> None:
    start = st.integers(0, len(text) - 1)
    starts = np.array(data.draw(st.lists(start, max_size=20)), dtype=np.int64)
    longest = np.minimum(LONGEST, len(text) - starts)
    sizes = np.array([data.draw(st.integers(0, most)) for most in longest], dtype=np.int64)
    expected = [
        murmurhash3_32(text[at : at + size], positive=True)
        for at, size in zip(starts, sizes, strict=True)
    ]
    assert murmur(text, starts, sizes).tolist() == expected


@given(TEXTS.filter(bool))
def test_n_grams_are_counted_as_scikit_learn_counts_them(texts: list[str]) -> None:
    found, expected = counts(texts).matrix(), reference_counts(texts)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert found.indices.tolist() == expected.indices.tolist()
    assert found.data.tolist() == expected.data.tolist()


@given(TEXTS.filter(bool))
def test_a_student_says_what_the_longer_way_says_alone_and_among_others(texts: list[str]) -> None:
    expected = reference_predictions(texts)
    assert STUDENT.predict_many(texts) == expected
    assert [STUDENT.predict(text) for text in texts] == expected
