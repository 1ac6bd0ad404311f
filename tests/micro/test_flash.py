"""Kernels that pay for speed with flash retreat where flash is short, first where it buys the least speed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.compilers.c_source import CSource, memory_bytes
from edgerig.errors import CompileError, UsageError
from edgerig.micro import Manifest, Options, compile_model
from edgerig.models.files import open_artifact
from edgerig.testing.networks.published_shapes import PublishedShape

WINOGRAD = "conv-winograd"


@cache
def residual() -> bytes:
    """Two convolutions of each of three widths, as residual networks have them, on pictures that shrink."""
    net = PublishedShape()
    x = net.value((1, 32, 32, 16), 1 / 128, -1)
    y = x
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.convolution(y, channels, 3, stride, "RELU")
        y = net.convolution(y, channels, 3, 1, "RELU")
    y = net.classes(net.mean(y), 10)
    return net.net.build([x.index], [y.index])


def compiled(**options: Any) -> Manifest:
    return compile_model(residual(), "net", Options(cpu="cortex-m7", **options)).manifest


def by_winograd(manifest: Manifest) -> list[int]:
    """Output channels of the layers that Winograd's kernel runs."""
    return [layer.outputs[0][3] for layer in manifest.layers if WINOGRAD in layer.kernel]


@cache
def pointwise() -> bytes:
    """Convolutions that all have weights of a half-word each where flash is no matter."""
    net = PublishedShape()
    x = net.value((1, 16, 16, 8), 1 / 128, -1)
    y = x
    for channels in (16, 24, 16, 8):
        y = net.convolution(y, channels, 1, 1, "RELU")
    y = net.classes(net.mean(y), 10)
    return net.net.build([x.index], [y.index])


@cache
def unlimited() -> Manifest:
    return compiled()


def test_without_a_limit_speed_takes_what_flash_it_wants() -> None:
    assert sorted(set(by_winograd(unlimited()))) == [16, 32, 64]
    assert not any("flash" in note for note in unlimited().notes)


@pytest.mark.slow
def test_the_layers_retreat_that_gain_least_for_their_bytes() -> None:
    widths = []
    for share in (0.99, 0.6, 0.45):
        flash = int(unlimited().constant_bytes * share)
        manifest = compiled(flash=flash)
        assert manifest.constant_bytes <= flash
        assert any(note.startswith("flash: ") for note in manifest.notes)
        widths.append(by_winograd(manifest))
    # The more channels, the fewer pixels go faster for each byte.
    assert 64 not in widths[0]
    assert set(widths[0]) == {16, 32}
    assert set(widths[-1]) < set(widths[0])


@pytest.mark.slow
def test_weights_take_half_a_word_each_only_where_flash_has_room() -> None:
    options = Options(cpu="cortex-m7")
    wide = compile_model(pointwise(), "net", options).manifest.constant_bytes
    sizes = []
    for less in (1, 500, 900):
        manifest = compile_model(pointwise(), "net", msgspec.structs.replace(options, flash=wide - less)).manifest
        sizes.append(manifest.constant_bytes)
        assert manifest.constant_bytes <= wide - less
        assert [layer.kernel for layer in manifest.layers[:4]] == ["conv-columns"] * 4
    assert sizes[0] > sizes[1] > sizes[2]


def test_why_a_layer_is_slower_is_told() -> None:
    manifest = compiled(flash=int(unlimited().constant_bytes * 0.99))
    reasons = [r.reason for layer in manifest.layers for r in layer.refusals if r.kernel == WINOGRAD]
    assert any("3.6 times the flash, which other layers need more" in reason for reason in reasons)


def test_a_limit_that_is_met_changes_nothing() -> None:
    same = compiled(flash=unlimited().constant_bytes)
    assert same.layers == unlimited().layers
    assert same.notes == unlimited().notes


@pytest.mark.slow
def test_flash_that_no_layers_fit_into_is_refused_with_the_least_that_they_take() -> None:
    with pytest.raises(CompileError, match="bytes of flash for its constants at least") as error:
        compiled(flash=10_000)
    least = int((error.value.hint or "").partition("flash=")[2].partition(" ")[0])
    assert compiled(flash=least).constant_bytes == least
    with pytest.raises(CompileError):
        compiled(flash=least - 1)


@pytest.mark.slow
def test_ram_and_flash_are_both_kept() -> None:
    small = compiled(optimize="size")
    flash, ram = int(unlimited().constant_bytes * 0.8), unlimited().memory.arena
    both = compiled(flash=flash, ram=ram)
    assert small.constant_bytes <= both.constant_bytes <= flash
    assert both.memory.arena <= ram


def test_flash_is_written_as_people_write_it(tmp_path: Path) -> None:
    assert memory_bytes("1M", "flash") == 1 << 20
    with pytest.raises(UsageError, match="flash=much is no number of bytes"):
        memory_bytes("much", "flash")
    (tmp_path / "net.tflite").write_bytes(residual())
    settings = CSource.Settings(cpu="cortex-m7", flash="300k")  # type: ignore[call-arg]
    CSource(settings).compile(open_artifact(tmp_path / "net.tflite"), tmp_path / "c")
    assert (tmp_path / "c" / "model.c").is_file()
