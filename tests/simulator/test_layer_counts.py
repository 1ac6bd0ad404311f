"""Instructions of the layers of generated C: those that each layer takes alone on the simulated board."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.needs import need

from edgerig.errors import EdgerigError, UsageError
from edgerig.micro import Options, compile_model
from edgerig.micro.emit.source import Source
from edgerig.simulator.layer_counts import count_layers
from edgerig.testing.networks.random_networks import RandomNetwork


def chain(activations: tuple[str, ...], dtype: str = "int8", cpu: str = "cortex-m7") -> Source:
    """Convolutions of stride 2, one for each activation, of images of 16x16."""
    network = RandomNetwork(dtype, seed=3)
    x = last = network.value((1, 16, 16, 4), 0.03)
    for activation in activations:
        last = network.conv(last, 4, stride=2, activation=activation)
    return compile_model(network.net.build([x.index], [last.index]), "net", Options(cpu=cpu))


def counts(source: Source, folder: Path) -> list[int]:
    source.write(folder)
    return count_layers(folder, source.manifest)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4+nofp"])
def test_each_layer_counts_as_it_does_alone(cpu: str, tmp_path: Path) -> None:
    both = counts(chain(("RELU", "RELU"), cpu=cpu), tmp_path / "both")
    alone = counts(chain(("RELU",), cpu=cpu), tmp_path / "one")
    assert both[:1] == alone
    assert both[1] < both[0] < 4.5 * both[1], "a quarter of the outputs, and what each call costs"
    assert counts(chain(("RELU", "RELU"), cpu=cpu), tmp_path / "again") == both


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-m33", "cortex-m85"])
def test_what_qemu_runs_counts_as_the_simulated_board_does(cpu: str, tmp_path: Path) -> None:
    need("qemu-system-arm")
    same, exact = chain(("RELU", "NONE"), cpu="cortex-m33"), chain(("RELU", "NONE"))
    wanted = counts(exact, tmp_path / "exact")
    assert counts(same, tmp_path / "same") == pytest.approx(wanted, abs=120), "C between the kernels may differ"
    if cpu != "cortex-m33":
        vectors = chain(("RELU", "NONE"), cpu=cpu)
        assert {layer.kernel for layer in vectors.manifest.layers} == {"helium-conv"}
        fewer = counts(vectors, tmp_path / "vectors")
        assert fewer[0] < wanted[0]


@pytest.mark.slow
def test_riscv_counts_exactly_and_beats_portable_code_there(tmp_path: Path) -> None:
    need("qemu-system-riscv32")
    both = counts(chain(("RELU", "RELU"), cpu="rv32imc"), tmp_path / "both")
    assert counts(chain(("RELU", "RELU"), cpu="rv32imc"), tmp_path / "again") == both
    assert both[:1] == counts(chain(("RELU",), cpu="rv32imc"), tmp_path / "one")
    portable = chain(("RELU", "RELU"), cpu="portable")
    portable.write(tmp_path / "portable")
    slower = count_layers(tmp_path / "portable", portable.manifest, cpu="rv32imc")
    assert all(slow > 1.3 * fast for slow, fast in zip(slower, both, strict=True))


def test_floats_are_counted(tmp_path: Path) -> None:
    source = chain(("NONE",), "float32")
    (count,) = counts(source, tmp_path / "float")
    (layer,) = source.manifest.layers
    assert 1 < count / layer.macs < 4


def test_other_cpus_are_refused(tmp_path: Path) -> None:
    source = chain(("NONE",), cpu="portable")
    with pytest.raises(UsageError, match="CPU portable are not counted"):
        counts(source, tmp_path / "c")


def test_what_cannot_be_built_is_told(tmp_path: Path) -> None:
    source = chain(("NONE",))
    source.write(tmp_path / "c")
    (tmp_path / "c" / "model.c").write_text("this is no C")
    with pytest.raises(EdgerigError, match=r"cannot compile model\.c"):
        count_layers(tmp_path / "c", source.manifest)
