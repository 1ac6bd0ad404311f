"""A file that is no network is called what it is, with the way to one."""

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import pytest

from edgerig.errors import ModelError
from edgerig.formats import Format
from edgerig.formats.base import LOADED
from edgerig.models.files import open_artifact
from edgerig.testing.networks import dense_tflite

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html lang=en><title>net.tflite</title></html>"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("net.tflite", b"..")
    return buffer.getvalue()


#: Content, names, and what its words and its hint have to say.
FILES: dict[str, tuple[bytes, tuple[str, ...], str, str]] = {
    "a pointer": (POINTER, ("net.tflite", "net.onnx", "net.keras", "net.h5", "net.pt2", "net"), "Git LFS", "lfs pull"),
    "a page": (PAGE, ("net.tflite", "net.onnx", "net.keras", "net.bin"), "page of the web", "raw"),
    "packed": (gzip.compress(b"x"), ("net.tflite", "net.onnx", "net.gz"), "packed", "gunzip"),
    "an archive": (zipped(), ("net.tflite", "net.onnx", "net.zip"), "archive", "Unpack"),
    "pickled": (pickle.dumps({}), ("net.pkl", "net.joblib"), "can run code", "skl2onnx"),
    "pickled tensors": (pickle.dumps({}), ("net.pth", "net.pt"), "run code", "torch.export"),
    "weights": (b"12345678{}", ("net.safetensors", "net.ckpt"), "weights alone", "torch.export"),
    "for a chip": (b"RKNN", ("net.rknn", "net.hef"), "its own chip", "compiled from"),
    "a rig": (b"model: net.tflite", ("rig.yaml", "rig.yml"), "a rig file", "edgerig run"),
    "nothing known": (b"nc: 80", ("best.words", "net"), "not a model file", ".tflite"),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, entry in FILES.items() for name in entry[1]])
def test_what_a_file_is_and_the_way_to_a_network_are_told(tmp_path: Path, kind: str, name: str) -> None:
    data, _, words, hint = FILES[kind]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        open_artifact(path)
    assert name in caught.value.message
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("name", ["net.lite", "net", "net.onnx", "net.keras", "net.bin"])
def test_tflite_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    path = dense_tflite(tmp_path / "net.tflite").rename(tmp_path / name)
    with pytest.raises(ModelError, match="a TFLite file by its content") as caught:
        open_artifact(path)
    assert caught.value.hint == "Call it net.tflite."


def test_a_file_that_lies_beside_another_is_named_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "net.xml"
    path.write_text('<?xml version="1.0"?><net name="x" version="11"><layers/></net>')
    with pytest.raises(ModelError, match=r"net\.xml needs net\.bin, which is not there"):
        open_artifact(path)


def test_a_stranger_s_format_may_be_of_any_content(tmp_path: Path) -> None:
    before = dict(LOADED)
    try:
        odd = type("Odd", (Format,), {"name": "odd-content", "summary": "packed", "suffixes": (".oddly",)})
    finally:
        LOADED.clear()
        LOADED.update(before)
    path = tmp_path / "net.oddly"
    path.write_bytes(gzip.compress(b"x"))
    assert odd().payload(path) == path.read_bytes()
