"""Artefacts: the same content is the same bytes, and other bytes are not read."""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from feilun.errors import Unreadable
from feilun.training.artefact import pack, unpack

FORMAT = "feilun.test/1"
HEADER = {"labels": ["drinks", "水果"], "sharpness": 2.5}
ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "index": np.array([7, 1])}

PACKER = """
import hashlib, numpy as np
from feilun.training.artefact import pack
arrays = {name: np.arange(4, dtype=kind) for name, kind in zip("abcd", ["f4", "i8", "f4", "i4"])}
print(hashlib.sha256(pack("f", {"b": 1, "a": 2}, arrays)).hexdigest())
"""


def test_what_was_packed_comes_back() -> None:
    header, arrays = unpack(FORMAT, pack(FORMAT, HEADER, ARRAYS))
    assert header == HEADER
    assert sorted(arrays) == ["index", "weights"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype


def test_the_order_in_which_arrays_are_given_does_not_matter() -> None:
    assert pack(FORMAT, HEADER, ARRAYS) == pack(FORMAT, HEADER, dict(reversed(ARRAYS.items())))


def test_an_array_that_is_a_slice_of_another_is_packed_as_what_it_shows() -> None:
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    _, arrays = unpack(FORMAT, pack(FORMAT, {}, {"part": whole[:, 1:3]}))
    np.testing.assert_array_equal(arrays["part"], whole[:, 1:3])


def test_every_process_packs_the_same_bytes() -> None:
    # safetensors alone writes its metadata in an order that differs between processes.
    def digest() -> str:
        run = [sys.executable, "-c", PACKER]
        return subprocess.run(run, capture_output=True, check=True, env=dict(os.environ)).stdout

    assert len({digest() for _ in range(4)}) == 1


def test_no_single_bit_can_change_unseen() -> None:
    whole = pack(FORMAT, HEADER, ARRAYS)
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unreadable):
            unpack(FORMAT, bytes(changed))


def test_another_format_is_unreadable_and_named() -> None:
    with pytest.raises(Unreadable, match=r"feilun.test/1.*feilun.other/1"):
        unpack("feilun.other/1", pack(FORMAT, HEADER, ARRAYS))


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"feilun": "[]"}, {"feilun": "{"}, {"feilun": '{"format":"feilun.test/1"}'}],
    ids=str,
)
def test_a_safetensors_file_of_somebody_else_is_unreadable(metadata: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="not what its trainer wrote"):
        unpack(FORMAT, save({"a": np.zeros(2)}, metadata=metadata))


def test_the_message_says_what_happens_now_and_what_to_do() -> None:
    with pytest.raises(Unreadable, match=r"feilun turn TASK.*the teacher answers"):
        unpack(FORMAT, b"")
