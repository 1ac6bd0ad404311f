"""Delegates from libraries: what each took, and what is said of one that takes nothing, fails, or is none."""

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import InferenceError, SpecError
from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.testing import networks

A, B = np.arange(16, dtype=np.float32).reshape(2, 8), np.full((2, 8), 2, np.float32)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A network of an ADD, which the test delegate takes, and a FULLY_CONNECTED, which it leaves."""
    return networks.two_input_tflite(tmp_path / "net.tflite")


def runtime(**settings: object) -> Runtime:
    return make("runtime", "litert", Runtime, settings)


def told(net: Path, **settings: object) -> tuple[np.ndarray, Census]:
    """The sum that the network gives of `A` and `B`, and the census."""
    with runtime(**settings) as engine:
        engine.load(net)
        outputs = engine.run([A, B]).outputs
        census = engine.census([A, B])
    assert isinstance(census, Census)
    return outputs[0], census


def placements(census: Census) -> dict[str, str]:
    return {group.op: group.placement for group in census.operators}


def test_without_a_delegate_xnnpack_counts_as_one_and_nothing_was_asked_for(net: Path) -> None:
    _, census = told(net)
    assert placements(census) == {"ADD": "XNNPACK", "FULLY_CONNECTED": "XNNPACK"}
    assert census.requested == ()


def test_delegate_takes_additions_and_xnnpack_the_rest(net: Path, delegate_library: Path) -> None:
    total, census = told(net, delegate=str(delegate_library))
    np.testing.assert_array_equal(total, A + B)
    assert placements(census) == {"ADD": delegate_library.name, "FULLY_CONNECTED": "XNNPACK"}
    (verdict,) = verdicts(census)
    assert verdict.text == f"{delegate_library.name} was asked for: 1 of 2 operators ran on XNNPACK."


def test_reference_kernels_run_what_a_delegate_leaves(net: Path, delegate_library: Path) -> None:
    _, census = told(net, delegate=str(delegate_library), kernels="reference")
    assert placements(census)["FULLY_CONNECTED"] == "LiteRT's reference kernels"


def test_delegate_that_takes_nothing_is_seen_though_xnnpack_takes_all(net: Path, delegate_library: Path) -> None:
    total, census = told(net, delegates=[{str(delegate_library): {"take": "nothing"}}])
    np.testing.assert_array_equal(total, A + B)
    (verdict,) = verdicts(census)
    assert (verdict.outcome, verdict.request.name) == ("not", delegate_library.name)


def test_options_reach_the_delegate(net: Path, delegate_library: Path) -> None:
    total, _ = told(net, delegates=[{str(delegate_library): {"wrong": True}}])
    np.testing.assert_array_equal(total, A - 3 * B)


def test_second_delegate_gets_what_the_first_left(net: Path, delegate_library: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    other.write_bytes(delegate_library.read_bytes())
    _, census = told(net, delegates=[{str(delegate_library): {"take": "nothing"}}, str(other)])
    assert placements(census)["ADD"] == "other.so"
    assert [verdict.outcome for verdict in verdicts(census)] == ["not", "met"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fail": "prepare"}, "cannot prepare the network: the test delegate was told to fail"),
        ({"fail": "make"}, "could not be made: no device is there"),
    ],
)
def test_what_a_delegate_says_of_its_failure_is_in_the_error(
    net: Path, delegate_library: Path, options: dict[str, str], words: str
) -> None:
    with pytest.raises(InferenceError, match=words):
        runtime(delegates=[{str(delegate_library): options}]).load(net)


def test_file_that_is_no_library_is_named(net: Path) -> None:
    with pytest.raises(InferenceError, match=r"net\.tflite is no library that this machine can load"):
        runtime(delegate=str(net)).load(net)


def test_library_that_is_no_delegate_is_named(net: Path) -> None:
    with pytest.raises(InferenceError, match=r"libc\.so\.6 is a library and no delegate: it has no function tflite_"):
        runtime(delegate="libc.so.6").load(net)


def test_path_without_a_file_is_named(net: Path) -> None:
    with pytest.raises(InferenceError, match="there is no such file"):
        runtime(delegate="./nothing.so").load(net)


def test_entry_of_two_libraries_is_refused(net: Path) -> None:
    with pytest.raises(InferenceError, match="names 2 libraries: a, b"):
        runtime(delegates=[{"a": {}, "b": {}}]).load(net)
    with pytest.raises(SpecError, match="delegate"):
        runtime(delegate=3)


def test_profile_of_another_interpreter_is_not_passed_for_this_one(net: Path, delegate_library: Path) -> None:
    with runtime(delegate=str(delegate_library)) as engine:
        engine.load(net)
        assert isinstance(engine.profile([A, B]), Unavailable)


def test_libraries_that_settings_name_are_told(delegate_library: Path) -> None:
    assert runtime(delegates=["a.so", {"b.so": {"x": 1}}]).libraries() == ("a.so", "b.so")
    assert runtime(delegate="c.so").libraries() == ("c.so",)
    assert runtime().libraries() == ()
