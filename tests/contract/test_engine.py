"""All engines keep one contract: the fake, from a table and from a function, and the recorded."""

from collections.abc import Mapping

import pytest

from feilun.errors import EngineError
from feilun.models import RecordedEngine
from feilun.ports import Answer, Engine
from feilun.records import Json
from feilun.testing import FakeEngine
from feilun.testing.contracts_engine import EngineContract
from feilun.testing.kiosk import KIOSK

KNOWN = {"green tea": "drinks", "报纸": "papers", "": "fruit"}


class Kiosk(EngineContract):
    @pytest.fixture
    def known(self) -> Mapping[str, Json]:
        return KNOWN

    @pytest.fixture
    def unanswerable(self) -> Json:
        return {"never": "asked"}


class TestFakeEngine(Kiosk):
    @pytest.fixture
    def engine(self) -> Engine:
        return FakeEngine(KNOWN)


class TestFakeEngineFromAFunction(Kiosk):
    @pytest.fixture
    def engine(self) -> Engine:
        def answer(input: Json) -> Json:
            if not isinstance(input, str):
                raise EngineError(f"{KIOSK.task}: fake-teacher knows no {input}")
            return KNOWN[input]

        return FakeEngine(answer, tokens=None)


class TestRecordedEngine(Kiosk):
    @pytest.fixture
    def engine(self) -> Engine:
        answers = {text: Answer(output, 1.5, 100, 80, 4) for text, output in KNOWN.items()}
        return RecordedEngine("qwen", answers)


def test_a_recording_of_structured_input_is_found_whatever_the_order_of_its_keys() -> None:
    engine = RecordedEngine("qwen", {'{"a":1,"b":2}': Answer("fruit", 1.0)})
    assert engine.answer(KIOSK, {"b": 2, "a": 1}).output == "fruit"


def test_a_fake_engine_fails_and_recovers_when_it_is_told_to() -> None:
    engine = FakeEngine(KNOWN)
    engine.fail("out of memory")
    with pytest.raises(EngineError, match="out of memory"):
        engine.answer(KIOSK, "green tea")
    engine.recover()
    assert engine.answer(KIOSK, "green tea").output == "drinks"
    assert engine.asked == ["green tea", "green tea"]
