"""All trainers keep one contract: the fake, and the linear one with and without embeddings."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from feilun.ports import Trainer
from feilun.testing import FakeTrainer
from feilun.testing.contracts_trainer import TrainerContract
from feilun.training.linear import LinearTrainer
from feilun.training.svm import Floats


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
