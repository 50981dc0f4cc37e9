"""The embedder over onnxruntime. What needs the model skips, and says how to get it."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from feilun.errors import InputError
from feilun.training.embedding import OnnxEmbedder

INSTALLED = importlib.util.find_spec("onnxruntime") is not None
FOLDER = os.environ.get("FEILUN_EMBEDDER")

with_model = pytest.mark.skipif(
    not (INSTALLED and FOLDER),
    reason="needs `pip install 'feilun[embed]'`, recipes/export_minilm.py FOLDER and "
    "FEILUN_EMBEDDER=FOLDER",
)


def test_a_missing_extra_or_model_is_named_with_the_next_step(tmp_path: Path) -> None:
    step = "export_minilm" if INSTALLED else r"feilun\[embed\]"
    with pytest.raises(InputError, match=step):
        OnnxEmbedder(tmp_path)


@with_model
def test_texts_of_one_meaning_lie_closer_than_texts_of_two() -> None:
    rows = OnnxEmbedder(Path(FOLDER or "")).embed(
        ["I lost my card", "my card is lost", "what is the weather today"]
    )
    near, far = rows[0] @ rows[1], rows[0] @ rows[2]
    assert near > 0.8
    assert far < 0.3
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)


@with_model
def test_a_text_has_one_embedding_alone_and_among_others() -> None:
    embedder = OnnxEmbedder(Path(FOLDER or ""))
    texts = ["short", "a much longer text, so that a batch would be padded", "", "字"]
    assert np.array_equal(
        embedder.embed(texts), np.concatenate([embedder.embed([text]) for text in texts])
    )
