from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.report.load import Loaded
from edgerig.report.privacy import anonymous, shorten_paths
from edgerig.report.write import FORMATS, render


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/nets/a.tflite", "…/a.tflite"),
        ("edgerig bench /home/ann/a.tflite --out /tmp/x/b1", "edgerig bench …/a.tflite --out …/b1"),
        ("edgerig bench '/home/ann/my nets/a.tflite'", "edgerig bench '…/my nets/a.tflite'"),
        ("--dataset-option root=/home/ann/photos", "--dataset-option root=…/photos"),
        ("Cannot read /Users/ann/x.npz: no such file.", "Cannot read …/x.npz: no such file."),
        ("~/nets/a.tflite", "…/a.tflite"),
        (r"C:\Users\ann\a.tflite", "…/a.tflite"),
        ("in /home/ann", "in …"),
        ("/home/ann/", "…"),
        ("in use by ann@desk, process 4711, for 3 s", "in use by another run, for 3 s"),
        ("runs/demo/report.html", "runs/demo/report.html"),
        ("./runs/demo", "./runs/demo"),
        ("../shared/nets/a.tflite", "../shared/nets/a.tflite"),
        ("tcp://127.0.0.1:7433", "tcp://127.0.0.1:7433"),
        ("serial:///dev/ttyACM0?baud=115200", "serial:///dev/ttyACM0?baud=115200"),
        ("/dev/serial/by-id/usb-0", "/dev/serial/by-id/usb-0"),
        ("VmHWM of /proc/self/status", "VmHWM of /proc/self/status"),
        ("jit(f)/conv1/add, 3/4 of it, and/or", "jit(f)/conv1/add, 3/4 of it, and/or"),
        ("33,791 /s", "33,791 /s"),
    ],
)
def test_absolute_paths_and_users_go_and_all_else_stays(text: str, shown: str) -> None:
    assert shorten_paths(text) == shown
    assert shorten_paths(shown) == shown


class Part(msgspec.Struct, frozen=True):
    text: str
    picture: str
    inner: tuple[str, ...]


def test_every_text_of_a_struct_is_looked_at_but_pictures() -> None:
    part = Part("/a/b/c", "/a/b/c", ("/a/b/d", "x"))
    assert anonymous(part) == Part("…/c", "/a/b/c", ("…/d", "x"))


def test_no_report_tells_where_the_bundle_lay(demo: Loaded, demo_folder: Path) -> None:
    secret = Path("/home/ann/secret-project")
    commands = (f"edgerig run {secret}/rig.yaml --out {secret}/runs/demo",)
    result: Any = msgspec.structs.replace(
        demo.result,
        commands=commands,
        cells=tuple(msgspec.structs.replace(cell, commands=commands) for cell in demo.result.cells),
        model=msgspec.structs.replace(demo.result.model, source=f"{secret}/nets/a.keras"),
    )
    loaded = msgspec.structs.replace(demo, path=secret / "runs" / "demo", result=result)
    for format in FORMATS:
        text = render([loaded], format)
        assert "secret-project" not in text
        assert "ann/" not in text
        assert ("…/rig.yaml" in text) == (format != "csv"), "CSV holds no commands"


@pytest.mark.parametrize("row", ["a", "a.", "@a", "@/a", "/", "\\", "~/", "/home/", " /home/a", "C:"])
def test_the_cost_of_a_long_row_grows_with_its_length(row: str) -> None:
    # With its square, this would take the better part of an hour.
    assert shorten_paths(row * 1_000_000)
