"""Sentence embeddings through onnxruntime: an optional dense view of the text (extra `embed`).

The model is a folder with `model.onnx` and `tokenizer.json`, as sentence-transformers and
`recipes/export_minilm.py` write them. Same bytes, same embedder: its name carries a hash.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from feilun.errors import InputError
from feilun.training.svm import Floats


class Embedder(Protocol):
    """Texts to rows of length 1, shape (texts, width). `name` names the exact model."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Floats: ...


class OnnxEmbedder:
    """A sentence encoder with mean pooling, on CPU. Raises InputError if it cannot be loaded."""

    def __init__(self, folder: Path, max_tokens: int = 128) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise InputError("Embeddings need an extra: pip install 'feilun[embed]'.") from error
        model, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
        for path in (model, tokenizer):
            if not path.is_file():
                raise InputError(f"{path} is missing. Run recipes/export_minilm.py {folder}.")
        self._session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()  # the file may ask for it
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._name = hashlib.sha256(model.read_bytes()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """`onnx-` and the start of the model's sha256."""
        return f"onnx-{self._name}"

    def embed(self, texts: Sequence[str]) -> Floats:
        """Mean of the token states, scaled to length 1, shape (texts, width).

        One text at a time: padding in a batch moves the last bits, and a student answers
        alone what it answers among others.
        """
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> Floats:
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        states = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
        mean: Floats = states[0].mean(axis=0).astype(np.float64)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)
