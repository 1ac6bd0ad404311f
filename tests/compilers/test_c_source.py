"""The compiler `c`: from a model file to a folder of C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.cli import main
from edgerig.compilers.c_source import CSource, CSourceSettings
from edgerig.errors import IncompatibleError, StorageError, UsageError
from edgerig.files import sha256_file
from edgerig.micro import Manifest
from edgerig.models.files import open_artifact
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.tflite_builder import TfliteBuilder

FILES = {"model.h", "model.c", "weights.h", "weights.c", "kernels", "CMakeLists.txt", "manifest.json"}


@pytest.fixture
def call(tmp_path: Path, monkeypatch, capfd) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net_int8.tflite").write_bytes(digits())
    dense_tflite(tmp_path / "net.tflite")

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            main(["compile", *arguments])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return run


def manifest(folder: str = "build/net") -> Manifest:
    return msgspec.json.decode((Path(folder) / "manifest.json").read_bytes(), type=Manifest)


def test_the_call_of_the_manual_writes_exactly_the_folder(call) -> None:
    code, _, err = call("net_int8.tflite", "--to", "c", "--cpu", "cortex-m7", "--out", "build/net")
    assert code == 0
    assert "c: build/net/manifest.json" in err
    assert {path.name for path in Path("build/net").iterdir()} == FILES
    assert [path.name for path in Path("build").iterdir()] == ["net"]
    assert (manifest().name, manifest().cpu, manifest().optimize) == ("model", "cortex-m7", "speed")
    code, _, _ = call("net_int8.tflite", "--to", "c", "--name", "digit net", "--optimize", "size", "--out", "build/net")
    assert code == 0
    assert (manifest().name, manifest().cpu, manifest().optimize) == ("digit_net", "portable", "size")


def test_ram_is_kept_to_and_the_least_is_said_where_none_fits(call) -> None:
    least = 0
    for wanted in ("64k", "1k"):
        code, _, err = call(
            "net_int8.tflite", "--to", "c", "--cpu", "cortex-m7", "--option", f"ram={wanted}", "--out", "build/net"
        )
        if code == 0:
            assert manifest().memory.arena <= 64 * 1024
        else:
            least = int(err.split("ram=")[1].split()[0])
    code, _, _ = call(
        "net_int8.tflite", "--to", "c", "--cpu", "cortex-m7", "--option", f"ram={least}", "--out", "build/net"
    )
    assert (code, manifest().memory.arena) == (0, least)


@pytest.mark.parametrize("name", ["", "é", "--"])
def test_name_of_which_nothing_is_left_in_c_is_refused(call, name) -> None:
    code, _, err = call("net_int8.tflite", "--to", "c", "--option", f"name={name}", "--out", "build/net")
    assert code == 2
    assert "name in C" in err or "expected" in err
    assert not Path("build").exists()


def test_link_to_a_folder_stays_a_link(call) -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    assert call("net_int8.tflite", "--to", "c", "--out", "link")[0] == 0
    assert Path("link").is_symlink()
    assert {path.name for path in Path("real").iterdir()} == FILES


def test_large_foreign_folder_is_refused_at_its_first_entry(call) -> None:
    code, _, err = call("net_int8.tflite", "--to", "c", "--out", "/")
    assert code == 2
    assert "no part of generated C" in err


def network_without_constants(kind: str) -> bytes:
    """int8 networks that hold no parameters; of some nothing is left to run."""
    net = TfliteBuilder()
    x = net.tensor("x", (1, 8, 8, 2), "int8", scale=0.5)
    if kind == "identity":
        return net.build([x], [x])
    if kind == "constant":
        return net.build([x], [net.tensor("y", (1, 2), "int8", np.zeros((1, 2)), scale=0.5)])
    size = {"pool": (1, 4, 4, 2), "reshape": (1, 128)}[kind]
    y = net.tensor("y", size, "int8", scale=0.5)
    if kind == "pool":
        window = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
        net.operator("AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", **window)
    else:
        net.operator("RESHAPE", [x, net.tensor("s", (2,), "int32", np.array(size))], [y], "ReshapeOptions")
    return net.build([x], [y])


@pytest.mark.parametrize("kind", ["pool", "identity", "reshape", "constant"])
def test_networks_without_parameters_have_sizes_of_zero(call, kind: str) -> None:
    Path("none.tflite").write_bytes(network_without_constants(kind))
    code, out, err = call("none.tflite", "--to", "c", "--out", "build/net", "--json")
    assert (code, "fault" in err) == (0, False)
    assert manifest().constant_bytes == (2 if kind == "constant" else 0)
    row = json.loads(out)["sizes"][1]
    assert row["bytes"] == manifest().constant_bytes
    assert (row["ratio"] is None) == (row["bytes"] == 0)


def test_the_size_table_counts_the_constants(call) -> None:
    code, out, _ = call("net_int8.tflite", "--to", "c", "--out", "build/net", "--json")
    assert code == 0
    document = json.loads(out)
    (made,) = document["artifacts"]
    assert made["bytes"] == manifest().constant_bytes == document["sizes"][1]["bytes"]
    assert made["path"] == made["description"] == "build/net/manifest.json"
    assert made["artifact"]["format"] == "c-source"


def test_beside_other_compilers_it_gets_a_folder_of_its_own(call) -> None:
    code, _, _ = call("net.tflite", "--to", "c-array", "--to", "c", "--out", "build")
    assert code == 0
    assert {path.name for path in Path("build").iterdir()} == {"net.h", "net.h.json", "net_c"}
    assert {path.name for path in Path("build/net_c").iterdir()} == FILES


@pytest.mark.parametrize(
    ("arguments", "expected", "text"),
    [
        (["net.tflite", "--to", "c", "--cpu", "cortex-m77"], 2, "Did you mean 'cortex-m7'"),
        (["net.tflite", "--to", "c", "--optimize", "fast"], 2, "'fast'"),
        (["net.tflite", "--to", "c-array", "--cpu", "cortex-m7"], 2, "'cpu'"),
        (["net.tflite", "--to", "c", "--out", "."], 2, "holds the network itself"),
        (["net.tflite", "--to", "c", "--option", "ram=64q"], 2, "is no number of bytes"),
        (["net_int8.tflite", "--to", "c", "--option", "ram=1k"], 1, "bytes of RAM at least, and ram is 1,024"),
    ],
)
def test_mistakes_get_one_message_and_leave_nothing(call, arguments: list[str], expected: int, text: str) -> None:
    code, _, err = call(*arguments)
    assert (code, text in err, "Traceback" in err) == (expected, True, False)
    assert {path.name for path in Path().iterdir()} == {"net.tflite", "net_int8.tflite"}


def test_schemes_that_it_cannot_run_are_refused(tmp_path: Path) -> None:
    compiler = CSource()
    assert compiler.refuses("tflite", "int8") is None
    assert compiler.refuses("tflite", "float16") is None
    assert compiler.refuses("tflite", "int16x8") is None
    assert "not dynamic" in str(compiler.refuses("tflite", "dynamic"))
    artifact = msgspec.structs.replace(open_artifact(dense_tflite(tmp_path / "net.tflite")), scheme="dynamic")
    with pytest.raises(IncompatibleError, match="dynamic"):
        compiler.compile(artifact, tmp_path / "out")


def test_the_artifact_describes_the_folder(tmp_path: Path) -> None:
    artifact = open_artifact(dense_tflite(tmp_path / "net.tflite"))
    made = CSource(CSourceSettings(name="switch")).compile(artifact, tmp_path / "out")
    assert (made.name, made.format, made.scheme) == ("switch_model", "c-source", "float32")
    assert sha256_file(Path(made.path)) == made.sha256
    assert made.origins[-1].tool == "c"
    assert made.origins[-1].parent == artifact.sha256
    assert CSource().payload(made, 7) == manifest(str(tmp_path / "out")).constant_bytes


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    artifact = open_artifact(dense_tflite(tmp_path / "net.tflite"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        CSource().compile(artifact, tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises((UsageError, StorageError)):
        CSource().compile(artifact, tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "net.tflite", "out"]
