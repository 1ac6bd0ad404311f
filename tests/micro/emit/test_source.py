"""Generated folders: written whole, never over anything else; text that C takes; a manifest that tells all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.errors import CompileError, StorageError, UnknownNameError, UsageError
from edgerig.files import sha256
from edgerig.micro import Manifest, Options, compile_model, limits
from edgerig.micro import c_text as text
from edgerig.micro.c_text import c_array, c_float, c_string, comment
from edgerig.testing.networks.generated import WARNINGS, c_compiler, load_all
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.random_operators import random_operator
from edgerig.testing.networks.tflite_builder import TfliteBuilder

USER = """\
#include "net/model.h"
int main(void)
{
    @P@_init();
    @P@_run();
    return @P@_input(@PU@_INPUTS) != 0 || @P@_layers[0].run == 0 || @P@_inputs[0].bytes == 0 || @P@_output(0) == 0
        || sizeof @PU@_SHA256 != 65;
}
"""


@pytest.fixture(scope="module")
def network() -> bytes:
    return random_operator("CONV_2D", 3, "int8")


def test_the_folder_holds_exactly_the_files(network: bytes, tmp_path: Path) -> None:
    source = compile_model(network, "net", Options())
    source.write(tmp_path / "deep" / "net")
    there = {str(p.relative_to(tmp_path / "deep/net")) for p in (tmp_path / "deep/net").rglob("*") if p.is_file()}
    assert there == set(source.files)
    assert {"model.h", "model.c", "weights.h", "weights.c", "manifest.json"} < there
    assert {name.split("/")[0] for name in there if "/" in name} == {"kernels"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["net"]


def test_a_folder_of_an_earlier_run_is_replaced_whole(network: bytes, tmp_path: Path) -> None:
    compile_model(digits(), "net", Options()).write(tmp_path / "net")
    source = compile_model(network, "net", Options())
    source.write(tmp_path / "net")
    there = {str(p.relative_to(tmp_path / "net")) for p in (tmp_path / "net").rglob("*") if p.is_file()}
    assert there == set(source.files)


def test_what_is_no_part_of_it_is_never_lost(network: bytes, tmp_path: Path) -> None:
    source = compile_model(network, "net", Options())
    source.write(tmp_path / "net")
    (tmp_path / "net" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'notes\.txt', which is no part of generated C"):
        source.write(tmp_path / "net")
    assert (tmp_path / "net" / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        source.write(tmp_path / "file")


def test_what_cannot_be_written_leaves_what_was_there(network: bytes, tmp_path: Path, monkeypatch) -> None:
    source = compile_model(network, "net", Options())
    source.write(tmp_path / "net")
    before = (tmp_path / "net" / "model.c").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        source.write(tmp_path / "net")
    assert (tmp_path / "net" / "model.c").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_equal_input_gives_equal_files(network: bytes) -> None:
    assert compile_model(network, "net", Options()).files == compile_model(network, "net", Options()).files


def test_the_manifest_tells_all() -> None:
    source = compile_model(digits(), "net", Options(optimize="size"), "digits.tflite")
    manifest = msgspec.json.decode(source.files["manifest.json"], type=Manifest)
    assert manifest == source.manifest
    assert (manifest.format, manifest.cpu, manifest.optimize, manifest.source) == (
        "edgerig-c",
        "portable",
        "size",
        "digits.tflite",
    )
    assert manifest.source_sha256 == sha256(digits())
    assert manifest.macs == sum(layer.macs for layer in manifest.layers)
    assert {file.path: file.sha256 for file in manifest.files} == {
        name: sha256(content) for name, content in source.files.items() if name != "manifest.json"
    }
    assert manifest.inputs[0].shape == (1, 28, 28, 1)
    assert sum(one.bytes for one in manifest.constants) == manifest.constant_bytes >= manifest.parameter_bytes


@pytest.mark.parametrize("name", ["model", "net2"])
def test_names_carry_the_prefix_and_the_header_stands_alone(name: str, network: bytes, tmp_path: Path) -> None:
    compile_model(network, name, Options()).write(tmp_path / "net")
    (tmp_path / "user.c").write_text(USER.replace("@P@", name).replace("@PU@", name.upper()))
    units = [str(path) for path in (tmp_path / "net").rglob("*.c")]
    units += [str(tmp_path / "user.c"), "-o", str(tmp_path / "user")]
    subprocess.run([str(c_compiler()), *WARNINGS, "-O1", *units], check=True)
    assert subprocess.run([str(tmp_path / "user")], check=False).returncode == 0


def test_two_networks_live_in_one_program(tmp_path: Path) -> None:
    files = [random_operator("FULLY_CONNECTED", 1, "int8"), random_operator("FULLY_CONNECTED", 2, "int8")]
    first, second = load_all([compile_model(data, f"n{i}", Options()) for i, data in enumerate(files)], tmp_path)
    assert first.manifest.outputs != second.manifest.outputs


def test_an_unknown_cpu_is_told(network: bytes) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cortex-m7'"):
        compile_model(network, "net", Options(cpu="cortex-m77"))


def test_names_out_of_the_file_cannot_break_the_code(tmp_path: Path) -> None:
    net = TfliteBuilder()
    evil = 'a*/ "\\\n??/ %s /*'
    x, y = net.tensor(evil, (1, 4), "float32"), net.tensor(evil * 2, (1, 4), "float32")
    net.operator("TANH", [x], [y])
    load_all([compile_model(net.build([x], [y]), "net", Options(), evil)], tmp_path)


def test_numbers_read_back_as_they_were() -> None:
    for value in (0.0, -0.0, 1.0, -1.5, 1e-30, 3.4028234663852886e38, 0.1, 1 / 3, 16777217.0):
        single = np.float32(value)
        assert np.float32(float(c_float(float(single))[:-1])).tobytes() == single.tobytes()
    with pytest.raises(CompileError, match="finite"):
        c_float(float("inf"))
    assert "(-2147483647 - 1)" in "".join(c_array(np.array([-(2**31), 5], np.int32)))
    assert all(len(line) <= 120 for line in "".join(c_array(np.arange(-200, 200, dtype=np.int16))).splitlines())
    assert c_string('a"\\\n') == '"a\\"\\\\?"'
    assert "*/" not in comment("a*/b")


@pytest.mark.parametrize("count", [0, 1, 7, 4096, 4097, 10_000])
def test_arrays_are_written_in_pieces_without_a_seam(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(count).integers(-128, 128, count).astype(np.int8)
    whole = "".join(c_array(data))
    monkeypatch.setattr(text, "CHUNK", 4096)
    pieces = list(c_array(data))
    assert "".join(pieces) == whole
    assert len(pieces) == max(1, -(-count // 4096))
    assert [int(word) for word in whole.replace(",", " ").split()] == data.tolist()
    assert not whole.rstrip().endswith(",")


def test_more_constants_than_any_board_holds_are_refused_before_they_become_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = digits("int8")
    monkeypatch.setattr(limits, "LARGEST_CONSTANTS", 50_000)
    with pytest.raises(CompileError, match=r"of constants, and generated C holds 50,000 B at most"):
        compile_model(data, "net", Options())
