"""Samples in a network's shape: the layout is found where it is plain, declared where it is not, never guessed."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edgerig.artifact import Artifact, Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.batches import from_calls, in_calls
from edgerig.datasets.fitting import check_fixed, check_size, fit, found_layout, likely_layout
from edgerig.errors import IncompatibleError, InferenceError
from edgerig.plugins import make


def samples(*shape: int) -> Any:
    return np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)


def spec(*shape: int, **more: Any) -> TensorSpec:
    return TensorSpec("x", (1, *shape), "float32", **more)


@pytest.mark.parametrize("batch", [1, 4])
def test_images_are_turned_where_only_channels_first_fits(batch: int) -> None:
    x = samples(5, 7, 3)
    turned = fit(x, TensorSpec("x", (batch, 3, 5, 7), "float32"), "d")
    np.testing.assert_array_equal(turned, x.transpose(0, 3, 1, 2))
    assert turned.flags.c_contiguous
    assert found_layout((5, 7, 3), spec(3, 5, 7), "d") == "nchw"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((5, 7, 3), (5, 7, 3)),
        ((5, 7, 1), (1, 5, 7)),
        ((5, 7, 1), (5, 7)),
        ((5, 7), (1, 5, 7)),
        ((5, 7), (35,)),
        ((5, 7, 1), (35,)),
        ((3, 5, 7), (3, 5, 7)),
        ((16,), (16,)),
        ((16,), (1, 16, 1)),
        ((1, 1, 3), (3, 1, 1)),
        ((49, 10), (49, 10)),
    ],
)
def test_what_fits_without_turning_keeps_the_order_of_its_values(
    given: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    x = samples(*given)
    np.testing.assert_array_equal(fit(x, spec(*wanted), "d"), x.reshape(2, *wanted))


@pytest.mark.parametrize(
    ("given", "wanted"), [((3, 3, 3), (3, 3, 3)), ((1, 3, 3), (3, 1, 3)), ((4, 4, 4), (4, 4, 4)), ((5, 7, 3), (105,))]
)
def test_what_fits_both_ways_is_asked_for(given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = samples(*given)
    with pytest.raises(IncompatibleError, match="both channels last and channels first") as caught:
        fit(x, spec(*wanted), "d")
    assert "--layout nchw" in (caught.value.hint or "")
    first, last = fit(x, spec(*wanted, layout="nchw"), "d"), fit(x, spec(*wanted, layout="nhwc"), "d")
    np.testing.assert_array_equal(first, x.transpose(0, 3, 1, 2).reshape(2, *wanted))
    np.testing.assert_array_equal(last, x.reshape(2, *wanted))
    # Random numbers mean nothing, wherever they stand.
    np.testing.assert_array_equal(fit(x, spec(*wanted), "d", judged=False), last)


def test_a_layout_that_cannot_be_is_refused() -> None:
    with pytest.raises(IncompatibleError, match=r"channels first \(nchw\).*\[3, 32, 32\].*\[3, 96, 96\]") as caught:
        fit(samples(96, 96, 3), spec(3, 32, 32, layout="nchw"), "d")
    assert "size" in (caught.value.hint or "")
    with pytest.raises(IncompatibleError, match=r"channels last \(nhwc\)"):
        fit(samples(5, 7, 3), spec(3, 5, 7, layout="nhwc"), "d")
    # Samples that are channels first already are no images: nothing is turned behind the user's back.
    with pytest.raises(IncompatibleError, match="nchw"):
        fit(samples(3, 5, 7), spec(3, 5, 7, layout="nchw"), "d")


@pytest.mark.parametrize("wanted", [(7, 5, 3), (3, 7, 5), (5, 3, 7), (5, 7, 4), (106,), (7, 3, 5)])
def test_other_shapes_do_not_fit(wanted: tuple[int, ...]) -> None:
    with pytest.raises(IncompatibleError, match="gives samples of shape"):
        fit(samples(5, 7, 3), spec(*wanted), "d")


@given(st.tuples(*[st.integers(1, 4)] * 3), st.tuples(*[st.integers(1, 4)] * 3))
def test_no_value_is_ever_out_of_its_place(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """What is accepted without a word is right in either layout that its shape allows."""
    x = samples(*shape)
    try:
        result = fit(x, spec(*wanted), "d")
    except IncompatibleError:
        return
    assert result.shape == (2, *wanted)
    allowed = []
    if tuple(n for n in shape if n != 1) == tuple(n for n in wanted if n != 1):
        allowed.append(x.reshape(2, *wanted))
    turned = x.transpose(0, 3, 1, 2)
    if tuple(n for n in turned.shape[1:] if n != 1) == tuple(n for n in wanted if n != 1):
        allowed.append(turned.reshape(2, *wanted))
    assert allowed
    assert all(np.array_equal(result, one) for one in allowed)


def test_what_the_shape_alone_speaks_for() -> None:
    assert likely_layout((1, 3, 32, 32)) == "nchw"
    assert likely_layout((8, 32, 32, 3)) == "nhwc"
    assert likely_layout((1, 3, 3, 3)) is None
    assert likely_layout((1, 32, 32, 32)) is None
    assert likely_layout((1, 10)) is None


@given(st.integers(1, 11), st.integers(1, 5))
def test_calls_hold_the_samples_in_order_and_the_filling_is_dropped(count: int, batch: int) -> None:
    x = np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3)
    calls = in_calls(x, batch)
    if batch > 1:
        assert calls.shape == (-(-count // batch), batch, 2, 3)
        assert all((row == x[-1]).all() for row in calls.reshape(-1, 2, 3)[count:])
    np.testing.assert_array_equal(from_calls(calls, batch, count), x)
    np.testing.assert_array_equal(
        from_calls(calls.reshape(len(calls), -1) if batch > 1 else calls, batch, count).reshape(count, -1),
        x.reshape(count, -1),
    )


def test_outputs_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InferenceError, match="4 samples an inference"):
        from_calls(np.zeros((2, 3, 5)), 4)


def test_free_axes_are_named_with_the_setting_that_sets_them() -> None:
    check_fixed("net", TensorSpec("x", (1, 3, 4), "float32"))
    with pytest.raises(IncompatibleError, match=r"the axes 2 and 3 of the input 'img'.*\[1, 3, \?, \?\]") as caught:
        check_fixed("net", TensorSpec("img", (1, 3, -1, -1), "float32"))
    assert "--shape img=1,3,?,?" in (caught.value.hint or "")
    assert "shapes:" in (caught.value.hint or "")


def network(*shape: int) -> Artifact:
    spec = TensorSpec(name="input", shape=shape, dtype="float32")
    return Artifact(name="net", format="tflite", sha256="0" * 64, size=1, inputs=(spec,), outputs=(spec,), path="net")


@pytest.mark.parametrize(
    "shape", [(1, 32, 32, 3), (1, 3, 32, 32), (1, 3072), (-1, 32, 32, 3), (1, -1, -1, 3), (1,), ()]
)
def test_what_may_fit_is_left_to_the_samples(shape: tuple[int, ...]) -> None:
    check_size(make("dataset", "cifar10", Dataset), network(*shape))


@pytest.mark.parametrize("shape", [(1, 28, 28, 1), (1, 32, 32, 1), (1, 10)])
def test_what_cannot_fit_is_refused_before_anything_is_fetched(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(IncompatibleError, match=r"'cifar10' gives samples of shape \[32, 32, 3\]"):
        check_size(make("dataset", "cifar10", Dataset), network(*shape))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("size", "fits"), [(96, True), (64, False)])
def test_samples_count_as_they_are_after_the_network_s_own_resizing(size: int, fits: bool) -> None:
    resized = replace(network(1, 96, 96, 3), preprocessing=Preprocessing(resize=(size, size)))
    with nullcontext() if fits else pytest.raises(IncompatibleError, match=r"shape \[64, 64, 3\]"):
        check_size(make("dataset", "cifar10", Dataset), resized)


def test_a_network_without_inputs_is_no_matter_of_size() -> None:
    check_size(
        make("dataset", "mnist", Dataset),
        Artifact(name="net", format="tflite", sha256="0" * 64, size=1, inputs=(), outputs=(), path="net"),
    )
