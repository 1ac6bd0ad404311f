"""Networks on their way to a device: parts in order, of one file, on disk and not in memory."""

import hashlib
import tracemalloc

import msgspec
import pytest

from edgerig.agent.upload import Upload
from edgerig.errors import ModelError, StorageError
from edgerig.wire.messages import ModelHeader

CONTENT = bytes(range(256)) * 4


def header(place: int = 0, total: int = 0, **changes) -> ModelHeader:
    made = ModelHeader("litert", {}, "tflite", hashlib.sha256(CONTENT).hexdigest(), "net.tflite", place, total)
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def upload(tmp_path) -> Upload:
    return Upload(tmp_path, 10_000)


def add(upload: Upload, start: int, stop: int, **changes):
    return upload.add(header(start, **({"total": len(CONTENT)} | changes)), memoryview(CONTENT)[start:stop])


@pytest.mark.parametrize("size", [1, 100, 1023, 1024])
def test_parts_of_any_size_make_the_file(upload, size):
    paths = [add(upload, place, place + size) for place in range(0, len(CONTENT), size)]
    assert paths[:-1] == [None] * (len(paths) - 1)
    assert paths[-1].read_bytes() == CONTENT
    assert paths[-1].name == hashlib.sha256(CONTENT).hexdigest() + ".tflite"
    assert [path.name for path in upload.folder.iterdir()] == [paths[-1].name]


def test_a_full_disk_is_told_with_the_agent_s_folder_and_nothing_is_kept(upload):
    (upload.folder / "network.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left on device") as caught:
        upload.add(header(), memoryview(CONTENT))
    assert "the agent's --folder" in caught.value.hint
    assert "--out" not in caught.value.hint
    assert list(upload.folder.iterdir()) == []
    assert upload.add(header(), memoryview(CONTENT)).read_bytes() == CONTENT


def test_whole_file_is_one_part(upload):
    assert upload.add(header(), memoryview(CONTENT)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 2048},
        {"total": 512},
        {"total": 1023},
        {"sha256": "0" * 64},
        {"runtime": "other"},
        {"format": "onnx"},
        {"options": {"threads": 2}},
        {"name": "other"},
    ],
)
def test_part_of_another_file_is_refused_and_the_first_goes_on(upload, changes):
    add(upload, 0, 100)
    with pytest.raises(ModelError, match="belongs to another file"):
        add(upload, 100, 200, **changes)
    add(upload, 100, 500)
    assert add(upload, 500, 1024).read_bytes() == CONTENT


@pytest.mark.parametrize(("start", "stop"), [(50, 100), (99, 200), (101, 200), (500, 1024), (100, 100)])
def test_gaps_overlaps_and_empty_parts_are_refused(upload, start, stop):
    add(upload, 0, 100)
    with pytest.raises(ModelError, match="in order"):
        add(upload, start, stop)
    assert add(upload, 100, 1024).read_bytes() == CONTENT


def test_part_beyond_the_end_is_refused(upload):
    add(upload, 0, 100, total=150)
    with pytest.raises(ModelError, match="came for offset 100"):
        add(upload, 100, 200, total=150)


def test_network_above_the_limit_is_refused_with_its_first_byte(upload):
    with pytest.raises(ModelError, match="limit is 10000 B"):
        add(upload, 0, 1, total=10_001)
    with pytest.raises(ModelError, match="limit is 10000 B"):
        upload.add(header(), memoryview(bytes(10_001)))
    assert not list(upload.folder.iterdir())


def test_first_part_begins_anew(upload):
    add(upload, 0, 700)
    add(upload, 0, 10)
    assert add(upload, 10, 1024).read_bytes() == CONTENT


def test_wrong_file_is_not_kept(upload):
    add(upload, 0, 100, sha256="0" * 64)
    with pytest.raises(ModelError, match="not the one that was announced"):
        add(upload, 100, 1024, sha256="0" * 64)
    assert not list(upload.folder.iterdir())
    assert upload.add(header(), memoryview(CONTENT)).read_bytes() == CONTENT


def test_large_network_is_never_in_memory(tmp_path):
    part, count = bytes(1024 * 1024), 64
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(part)
    upload, total = Upload(tmp_path, 1024**3), count * len(part)
    tracemalloc.start()
    for place in range(0, total, len(part)):
        path = upload.add(header(place, total, sha256=digest.hexdigest()), memoryview(part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size == total
    assert peak < 1024 * 1024
