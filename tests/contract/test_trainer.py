"""All trainers keep one contract: the fake, and the linear one with and without embeddings."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

pytest.register_assert_rewrite("feilun.testing.contracts_trainer")

from feilun.ports import Trainer  # noqa: E402 - the suite must be registered first
from feilun.testing import FakeTrainer  # noqa: E402
from feilun.testing.contracts_trainer import TrainerContract  # noqa: E402
from feilun.training.linear import LinearTrainer  # noqa: E402
from feilun.training.svm import Floats  # noqa: E402


class Directions:
    """An embedder without a model: a direction for each text, made of its bytes."""

    name = "directions"

    def embed(self, texts: Sequence[str]) -> Floats:
        raw = [hashlib.blake2b(text.encode()).digest() for text in texts]
        rows: Floats = np.array([list(digest) for digest in raw], dtype=np.float64) - 127.5
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class TestFakeTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self) -> Trainer:
        return FakeTrainer()


class TestLinearTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self) -> Trainer:
        return LinearTrainer()


class TestLinearTrainerWithEmbeddings(TrainerContract):
    @pytest.fixture
    def trainer(self) -> Trainer:
        return LinearTrainer(embedder=Directions())
