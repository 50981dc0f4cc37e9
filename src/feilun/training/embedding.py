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
        self._tokenizer.enable_padding()
        self._name = hashlib.sha256(model.read_bytes()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """`onnx-` and the start of the model's sha256."""
        return f"onnx-{self._name}"

    def embed(self, texts: Sequence[str]) -> Floats:
        """Mean of the token states, scaled to length 1, shape (texts, width)."""
        batches = [self._batch(texts[i : i + 64]) for i in range(0, len(texts), 64)]
        return np.concatenate(batches)

    def _batch(self, texts: Sequence[str]) -> Floats:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([e.ids for e in encoded], dtype=np.int64)
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {entry.name for entry in self._session.get_inputs()}
        states = self._session.run(None, {k: v for k, v in feeds.items() if k in wanted})[0]
        mean = (states * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        rows: Floats = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        return rows.astype(np.float64)
