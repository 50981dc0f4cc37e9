"""Text as numbers: what two spellings share, and that nothing is too strange to be counted."""

import numpy as np
import pytest
import scipy.sparse as sp

from feilun.training.features import batches, normal, text_of
from feilun.training.features import counts as counted


def counts(texts: list[str]) -> sp.csr_matrix:
    return counted(texts).matrix()


def same(one: str, other: str) -> bool:
    difference = counts([one]) != counts([other])
    return difference.nnz == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Green TEA", "green tea"),
        ("ｃｏｌａ　２", "cola 2"),
        ("lunch 45.80", "lunch 31.25"),
        ("①", "1"),
    ],
)
def test_case_width_and_the_value_of_digits_do_not_count(one: str, other: str) -> None:
    assert normal(one) == normal(other)
    assert same(one, other)


def test_how_long_a_number_is_counts() -> None:
    assert not same("rent 2500", "rent 25")


def test_words_and_their_order_count() -> None:
    assert not same("bank fee", "fee bank")


@pytest.mark.parametrize("text", ["票", "$", "℞", "a", "🥐", "我", "\u0000", "\ud800"])
def test_a_lone_sign_is_counted(text: str) -> None:
    assert counts([text]).nnz > 0


def test_chinese_without_spaces_shares_its_characters() -> None:
    one, other = counts(["打车去公司"]), counts(["打车回家"])
    assert one.minimum(other).nnz >= 3
    assert counts(["打车去公司"]).minimum(counts(["green tea"])).nnz <= 1


def test_an_empty_text_has_no_features_and_keeps_its_row() -> None:
    found = counts(["", "tea"])
    assert found.shape[0] == 2
    assert found[0].nnz == 0


def test_a_text_counts_the_same_alone_and_among_others() -> None:
    texts = ["green tea", "", "绿茶", "tea tea tea"]
    together = counts(texts)
    for row, text in enumerate(texts):
        assert (together[row] != counts([text])).nnz == 0


def test_what_is_said_twice_is_counted_twice() -> None:
    assert np.isin(2, counts(["tea tea"]).data)


def test_a_text_that_folding_makes_longer_is_not_read_any_further() -> None:
    assert len(normal("ﷺ" * 8192)) == 8192


def test_structured_input_is_read_in_its_stable_form() -> None:
    assert text_of("茶") == "茶"
    assert text_of({"b": 1, "a": "茶"}) == '{"a":"茶","b":1}'


def test_of_no_texts_there_are_no_counts() -> None:
    assert counts([]).shape[0] == 0


def test_texts_of_all_sizes_come_in_batches_of_a_bounded_size_in_their_order() -> None:
    texts = ["a" * size for size in (0, 8192, 1, 5000, 5000, 0, 0, 20_000, 3)]
    found = [list(batch) for batch in batches(texts)]
    assert [text for batch in found for text in batch] == texts
    assert [len(batch) for batch in found] == [2, 3, 3, 1]
    assert list(batches([])) == []


def test_many_batches_count_as_one_would() -> None:
    texts = [f"green tea {'绿茶' * size}" for size in range(0, 4000, 100)]
    together = counts(texts)
    for row in (0, 7, 39):
        assert (together[row] != counts([texts[row]])).nnz == 0
