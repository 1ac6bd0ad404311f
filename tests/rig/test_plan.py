import re
import sys
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig import plugin_names
from edgerig.artifact import Origin
from edgerig.compilers.steps import State
from edgerig.errors import IncompatibleError, MissingExtraError, MissingProgramError, SpecError, UnknownNameError
from edgerig.install import install_command
from edgerig.models.files import open_artifact
from edgerig.rig import matrix
from edgerig.rig.document import Document
from edgerig.rig.dump import rig_to_yaml
from edgerig.rig.parse import parse_rig
from edgerig.rig.plan import Plan, chain_key, make_plan
from edgerig.rig.types import Part
from edgerig.runtimes.litert import LiteRt
from edgerig.testing import networks
from edgerig.testing.networks.tree_networks import stump


def plan(*blocks: dict[str, Any], only: tuple[str, ...] = (), **changes: Any) -> Plan:
    data = {"model": "mnist-cnn", "dataset": "mnist", "matrix": list(blocks), **changes}
    return make_plan(parse_rig(Document(data, "rig.yaml")), only)


def ids(made: Plan) -> list[str]:
    return [cell.id for cell in made.cells]


def test_a_block_is_a_full_matrix() -> None:
    made = plan({"compilers": ["float32", "int8"], "runtimes": ["litert", "tflm"]})
    assert ids(made) == [
        "float32-litert-local",
        "float32-tflm-local",
        "int8-litert-local",
        "int8-tflm-local",
    ]


def test_a_block_may_have_fewer_samples_of_its_own() -> None:
    made = plan(
        {"compilers": ["int8"], "runtimes": ["litert"]}, {"compilers": ["int8"], "runtimes": ["tflm"], "samples": 9}
    )
    assert [cell.samples for cell in made.cells] == [None, 9]


def test_boards_stand_in_the_id_and_refuse_what_the_c_compiler_does_not_know() -> None:
    made = plan({"compilers": ["int8"], "runtimes": ["micro"], "targets": ["sim:stm32f746", "qemu:mps2-an500"]})
    assert ids(made) == ["int8-micro-sim-stm32f746", "int8-micro-qemu-mps2-an500"]
    with pytest.raises(IncompatibleError, match="knows float32, float16, int8 and int16x8 networks, not dynamic"):
        plan({"compilers": ["dynamic"], "runtimes": ["micro"], "targets": ["sim:stm32f746"]})


def test_networks_in_onnx_are_refused_for_boards_before_anything_is_trained_and_trees_are_not(tmp_path: Path) -> None:
    words = "of ONNX files C is made of trees"
    for target in ("local", "sim:stm32f746"):
        with pytest.raises(IncompatibleError, match=f"onnx on micro: {words}"):
            plan({"compilers": ["onnx"], "runtimes": ["micro"], "targets": [target]})
    assert ids(plan({"compilers": ["onnx"], "runtimes": ["onnxruntime"]})) == ["onnx-onnxruntime-local"]
    network, trees = networks.dense_onnx(tmp_path / "net.onnx"), tmp_path / "trees.onnx"
    trees.write_bytes(stump())
    block = {"runtimes": ["micro"], "targets": ["sim:stm32f746"]}
    with pytest.raises(IncompatibleError, match=r"net on micro: not supported in C: operator 0 \(Gemm\)") as caught:
        plan(block, model={"file": str(network)})
    assert "Networks become C as TFLite" in str(caught.value)
    assert ids(plan(block, model={"file": str(trees)})) == ["trees-micro-sim-stm32f746"]
    assert ids(plan({**block, "compilers": ["onnx"]}, model={"file": str(trees)})) == ["onnx-micro-sim-stm32f746"]


def test_runtime_that_a_board_does_not_have_is_refused_before_anything_runs() -> None:
    with pytest.raises(IncompatibleError, match=r"litert on sim:stm32f746: that runs 'micro' alone"):
        plan({"compilers": ["int8"], "runtimes": ["litert", "micro"], "targets": ["sim:stm32f746", "local"]})


def test_what_a_compiler_needs_before_it_is_put_in() -> None:
    made = plan({"compilers": ["onnx-int8"], "runtimes": ["onnxruntime"]})
    assert [part.use for part in made.cells[0].compilers] == ["float32", "onnx", "onnx-int8"]
    assert [[part.use for part in chain] for _, chain in made.chains] == [
        ["float32"],
        ["float32", "onnx"],
        ["float32", "onnx", "onnx-int8"],
    ]


def test_what_a_compiler_reads_itself_goes_by_no_other_format(tmp_path: Path) -> None:
    block = {"compilers": ["onnx", "onnx-int8"], "runtimes": ["onnxruntime"]}
    made = plan(block, model=str(networks.dense_onnx(tmp_path / "net.onnx")), dataset="random")
    assert [[part.use for part in chain] for _, chain in made.chains] == [["onnx"], ["onnx-int8"]]


def test_programs_of_pytorch_become_onnx_without_tflite() -> None:
    chain, made, scheme = matrix._chain(State("torch", "float32"), Part("onnx-int8"))
    assert ([part.use for part in chain], made, scheme) == (["onnx", "onnx-int8"], "onnx", "int8")


def test_settings_and_addresses_stand_in_the_id() -> None:
    made = plan(
        {"compilers": ["int8"], "runtimes": [{"use": "litert", "threads": 2}], "targets": ["tcp://127.0.0.1:7433"]}
    )
    assert ids(made) == ["int8-litert-threads2-tcp-127.0.0.1-7433"]


def test_a_name_replaces_the_settings_in_the_id() -> None:
    made = plan({"compilers": [{"use": "int8", "name": "tiny"}], "runtimes": ["litert"]})
    assert ids(made) == ["tiny-litert-local"]
    assert made.cells[0].variant == "tiny"


def test_the_same_cell_twice_is_one() -> None:
    block = {"compilers": ["int8"], "runtimes": ["litert"]}
    assert len(plan(block, block).cells) == 1


def test_two_different_cells_of_one_name_are_refused() -> None:
    with pytest.raises(IncompatibleError, match="two different cells are called 'x-litert-local'"):
        plan({"compilers": [{"use": "int8", "name": "x"}, {"use": "float16", "name": "x"}], "runtimes": ["litert"]})


def test_impossible_combinations_are_refused_together_with_their_reasons() -> None:
    with pytest.raises(IncompatibleError) as caught:
        plan({"compilers": ["dynamic", "onnx"], "runtimes": ["tflm"]})
    assert "dynamic on tflm:" in str(caught.value)
    assert "onnx on tflm: runtime 'tflm' runs tflite, not onnx" in str(caught.value)


def test_a_keras_model_is_deployed_on_nothing_as_it_is() -> None:
    with pytest.raises(IncompatibleError, match="not keras") as caught:
        plan({"runtimes": ["litert"]})
    assert "compilers: [float32, int8]" in str(caught.value)


@pytest.mark.parametrize(("pattern", "count"), [("*", 2), ("int8-*", 1), ("*-local", 2)])
def test_only_chooses_by_pattern(pattern: str, count: int) -> None:
    assert len(plan({"compilers": ["float32", "int8"], "runtimes": ["litert"]}, only=(pattern,)).cells) == count


def test_a_pattern_that_matches_nothing_names_the_cells() -> None:
    with pytest.raises(UnknownNameError, match="int8-litert-local"):
        plan({"compilers": ["int8"], "runtimes": ["litert"]}, only=("int9-*",))


class NotInstalled(LiteRt):
    name = "not-installed"
    extra = "exotic"
    modules: ClassVar[tuple[str, ...]] = ("no_such_module",)


class NotInstalledEither(NotInstalled):
    name = "neither"
    extra = "rare"
    modules: ClassVar[tuple[str, ...]] = ("no_such_module_either",)


@pytest.mark.slow
def test_one_missing_engine_names_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=re.escape(install_command("exotic"))):
        plan({"compilers": ["int8"], "runtimes": [f"{__name__}:NotInstalled"]})


@pytest.mark.slow
def test_all_missing_engines_are_named_at_once() -> None:
    names = [f"{__name__}:NotInstalled", f"{__name__}:NotInstalledEither"]
    with pytest.raises(SpecError, match=re.escape(install_command("exotic", "rare"))) as caught:
        plan({"compilers": ["int8"], "runtimes": names})
    assert "no_such_module_either" in str(caught.value)


def test_a_missing_c_compiler_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerig.runtimes.micro.c_compiler", lambda: None)
    with pytest.raises(MissingProgramError, match="'micro' needs a C compiler, and this machine has none") as caught:
        plan({"compilers": ["int8"], "runtimes": ["micro"]})
    assert "apt-get install gcc" in str(caught.value)
    with pytest.raises(SpecError, match="no_such_module") as caught_both:
        plan({"compilers": ["int8"], "runtimes": ["micro", f"{__name__}:NotInstalled"]})
    assert "apt-get install gcc" in (caught_both.value.hint or "")
    assert install_command("exotic") in (caught_both.value.hint or "")


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the float network a.tflite, the int8 network b.tflite, and another a.tflite in ``deeper``."""
    folder = tmp_path_factory.mktemp("nets")
    (folder / "deeper").mkdir()
    networks.dense_tflite(folder / "a.tflite", 784, 10)
    networks.dense_tflite_int8(folder / "b.tflite", 784, 10)
    networks.dense_tflite(folder / "deeper" / "a.tflite", 784, 10, seed=1)
    return folder


def several(nets: Path, *blocks: dict[str, Any], models: list[Any], **more: Any) -> Plan:
    data = {"models": models, "dataset": "mnist", "matrix": list(blocks), **more}
    return make_plan(parse_rig(Document(data, "rig.yaml", nets)))


def test_files_that_are_deployed_as_they_are_keep_their_names(nets: Path) -> None:
    made = several(nets, {"runtimes": ["litert"]}, models=["a.tflite", "b.tflite"])
    assert ids(made) == ["a-litert-local", "b-litert-local"]
    assert [(cell.model, cell.variant) for cell in made.cells] == [("a", "a"), ("b", "b")]
    assert ids(plan({"runtimes": ["litert"]}, model=str(nets / "b.tflite"))) == ["b-litert-local"]


def test_files_of_one_name_are_told_apart_by_their_folders(nets: Path) -> None:
    made = several(nets, {"runtimes": ["litert"]}, models=["a.tflite", "deeper/a.tflite"])
    assert [cell.variant for cell in made.cells] == [f"{nets.name}/a", "deeper/a"]
    assert ids(made) == [f"{nets.name}-a-litert-local", "deeper-a-litert-local"]


def test_a_block_chooses_models_by_their_names_and_compiles_each(nets: Path) -> None:
    made = several(
        nets,
        {"models": ["a", "net"], "compilers": ["int8", "none"], "runtimes": ["litert"]},
        {"models": "b", "runtimes": ["tflm"]},
        models=["a.tflite", {"file": "b.tflite"}, {"file": "deeper/a.tflite", "name": "net"}],
    )
    assert ids(made) == [
        "a-int8-litert-local",
        "a-litert-local",
        "net-int8-litert-local",
        "net-litert-local",
        "b-tflm-local",
    ]
    assert [(model, [part.use for part in chain]) for model, chain in made.chains] == [
        ("a", ["int8"]),
        ("net", ["int8"]),
    ]
    assert [part.label for part in made.models] == ["a", "b", "net"]
    again = make_plan(parse_rig(Document(yaml.safe_load(rig_to_yaml(made.rig)), "again.yaml")))
    assert again.cells == made.cells


def test_combinations_of_one_model_that_cannot_work_are_refused_by_its_name(nets: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"b.*int8"):
        several(nets, {"compilers": ["int8"], "runtimes": ["litert"]}, models=["a.tflite", "b.tflite"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": []}, "must be a list of models"),
        ({"models": "a.tflite"}, "must be a list of models"),
        ({"models": ["a.tflite", "a.tflite"]}, "stands there twice"),
        ({"models": ["a.tflite", {"file": "b.tflite", "name": "a"}]}, "is the name of two"),
        ({"models": [{"file": "b.tflite", "name": 3}]}, "must be text"),
        ({"models": ["a.tflite"], "model": "mnist-cnn"}, "both 'model' and 'models'"),
        ({"models": ["a.tflite"], "matrix": [{"models": ["c"], "runtimes": ["litert"]}]}, "there is no model 'c'"),
        ({"models": ["a.tflite"], "matrix": [{"models": [], "runtimes": ["litert"]}]}, "leave it out for all"),
    ],
)
def test_a_mistake_in_the_list_of_models_is_named(nets: Path, changes: dict[str, Any], said: str) -> None:
    data = {"dataset": "mnist", "matrix": [{"runtimes": ["litert"]}], **changes}
    with pytest.raises(SpecError, match=re.escape(said)):
        parse_rig(Document(data, "rig.yaml", nets))


def forget() -> None:
    plugin_names._points_on.cache_clear()
    plugin_names._all_points_on.cache_clear()


class Elsewhere(PathFinder):
    """Finds packages where edgerig does not look itself."""


def find_packages_by(finders: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out those that other tests have brought, too: the backport of `importlib.metadata` takes the place of
    Python's own finder, whose method it deletes."""
    finds = metadata.MetadataPathFinder.find_distributions
    monkeypatch.setattr(PathFinder, "find_distributions", finds, raising=False)
    others = [finder for finder in sys.meta_path if not hasattr(finder, "find_distributions")]
    monkeypatch.setattr(sys, "meta_path", [*others, *finders])
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry).is_dir()])


@pytest.mark.parametrize(("finders", "most"), [([PathFinder], 1), ([PathFinder, Elsewhere], 20)])
def test_what_is_installed_is_not_read_again_for_each_name_that_is_not_there(
    finders: list[Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    scan = plugin_names.entry_points

    def counted(**which: Any) -> Any:
        nonlocal calls
        calls += 1
        return scan(**which)

    find_packages_by(finders, monkeypatch)
    monkeypatch.setattr(plugin_names, "entry_points", counted)
    forget()
    with pytest.raises(SpecError, match="Unknown runtime 'none0'"):
        plan({"compilers": ["none"], "runtimes": [f"none{n}" for n in range(40)], "targets": ["nowhere"] * 40})
    assert 1 <= calls <= most


def test_what_one_part_is_asked_does_not_grow_with_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    scan = plugin_names.entry_points

    def counted(**which: Any) -> Any:
        nonlocal calls
        calls += 1
        return scan(**which)

    monkeypatch.setattr(plugin_names, "entry_points", counted)
    forget()
    compilers = [{"use": "int8", "calibration_samples": n} for n in range(1, 41)]
    runtimes = [{"use": "litert", "name": f"r{n}"} for n in range(40)]
    assert len(plan({"compilers": compilers, "runtimes": runtimes}).cells) == 1600
    assert calls == 1, "all nouns at once"


def test_chains_are_listed_once_each() -> None:
    made = plan({"compilers": [{"use": "int8", "name": n} for n in "abc"], "runtimes": ["litert"]})
    assert len(made.cells) == 3
    assert [[part.use for part in chain] for _, chain in made.chains] == [["float32"], ["float32", "int8"]]


def test_a_matrix_of_millions_is_refused_before_it_is_made() -> None:
    names = [{"use": "litert", "name": f"r{n}"} for n in range(400)]
    targets = [{"use": "local", "name": f"t{n}"} for n in range(400)]
    with pytest.raises(SpecError, match="more than 100,000 cells"):
        plan({"compilers": ["int8"], "runtimes": names, "targets": targets})


@pytest.mark.slow
def test_a_plugin_installed_meanwhile_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"compilers": ["int8"], "runtimes": ["arrived-late"]}
    find_packages_by([PathFinder], monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError, match="arrived-late"):
        plan(data)
    package = tmp_path / "late-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[edgerig.runtimes]\narrived-late = {__name__}:Late\n")
    assert plan(data).cells[0].runtime.use == "arrived-late"


class Late(LiteRt):
    name = "arrived-late"


CHAIN: list[Any] = [{"use": "prune", "share": 0.8}, "int8"]


@pytest.mark.parametrize(
    ("entry", "variant", "options"),
    [
        ("prune+int8", "prune+int8", {}),
        (" prune + int8 ", "prune+int8", {}),
        (["prune", "int8"], "prune+int8", {}),
        (CHAIN, "prune-share0.8+int8", {"share": 0.8}),
        ({"use": CHAIN, "name": "sparse"}, "sparse", {"share": 0.8}),
        ({"use": "prune+int8", "name": "sparse"}, "sparse", {}),
        ([{**CHAIN[0], "name": "few"}, "int8"], "few+int8", {"share": 0.8}),
    ],
)
def test_a_chain_of_compilers_is_one_variant(entry: Any, variant: str, options: dict[str, Any]) -> None:
    made = plan({"compilers": ["int8", entry], "runtimes": ["litert"]})
    (plain, cell) = made.cells
    assert (cell.id, cell.variant) == (f"{variant}-litert-local", variant)
    assert [part.use for part in cell.compilers] == ["prune", "float32", "int8"]
    assert cell.compilers[0].options == options
    assert [[part.use for part in chain] for _, chain in made.chains] == [
        ["float32"],
        ["float32", "int8"],
        ["prune"],
        ["prune", "float32"],
        ["prune", "float32", "int8"],
    ]
    assert [part.use for part in plain.compilers] == ["float32", "int8"]
    again = make_plan(parse_rig(Document(yaml.safe_load(rig_to_yaml(made.rig)), "again.yaml")))
    assert again == made


def test_chains_that_differ_in_a_setting_differ_from_there_on() -> None:
    chains = [["prune", "int8"], [{"use": "prune", "share": 0.8}, "int8"], ["prune", {"use": "int8", "weight_bits": 4}]]
    made = plan({"compilers": chains, "runtimes": ["litert"]})
    keys = {chain_key(model, chain) for model, chain in made.chains}
    assert len(keys) == 3 + 3 + 1


def test_a_list_of_one_compiler_is_that_compiler() -> None:
    assert plan({"compilers": [["int8"]], "runtimes": ["litert"]}) == plan(
        {"compilers": ["int8"], "runtimes": ["litert"]}
    )


def test_steps_that_do_not_fit_are_refused_with_what_may_follow() -> None:
    apart = ["cluster", {"use": "qat-int8", "keep_clusters": False}]
    with pytest.raises(IncompatibleError) as caught:
        plan({"compilers": ["int8+prune", apart, "int8+openvino", "int8+c-array"], "runtimes": ["litert"]})
    said = str(caught.value)
    assert (
        "int8+prune: prune cannot follow int8: compiler 'prune' reads keras or torch, not tflite; prune+int8 is" in said
    )
    assert "after int8 may come c, c-array, edgetpu\n" in said
    assert "int8+openvino: openvino cannot follow int8: its inputs or outputs are integers with a scale" in said
    assert (
        "+qat-int8-keep-clusters-off: qat-int8 cannot follow cluster: compiler 'qat-int8' trains each weight by itself"
        in said
    )
    assert "int8+c-array on litert: runtime 'litert' runs tflite, not c-array" in said


def test_a_model_file_that_was_clustered_is_not_trained_apart(tmp_path: Path) -> None:
    networks.dense_tflite(tmp_path / "net.tflite", 8, 4)
    artifact = open_artifact(tmp_path / "net.tflite")
    msgspec.structs.replace(artifact, origins=(Origin("cluster"), Origin("float32"))).save()
    block = {"compilers": [{"use": "qat-int8", "keep_clusters": False}], "runtimes": ["litert"]}
    with pytest.raises(IncompatibleError, match="the weights of a cluster would part"):
        plan(block, model=str(tmp_path / "net.tflite"))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("prune+", "'prune+' names an empty compiler"),
        ("prune+none", "a chain is of compilers, such as prune+int8; 'none' is none"),
        ([], "a chain is of compilers"),
        ("prun+int8", "Did you mean 'prune'"),
        ([["prune"], "int8"], "must be a compiler's name"),
        ({"use": "prune+int8", "share": 0.8}, "unknown key 'share'; settings are of a compiler of the chain"),
        ([{"use": "prune", "shar": 0.8}, "int8"], "Did you mean 'share'"),
        ({"use": ["prune", "int8"], "name": 3}, "must be text"),
    ],
)
def test_a_mistake_in_a_chain_is_named(entry: Any, words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        plan({"compilers": [entry], "runtimes": ["litert"]})


STEPS = st.sampled_from(["prune", "cluster", "float32", "int8", "float16", "onnx", {"use": "prune", "share": 0.25}])


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=4))
def test_any_chain_is_planned_or_refused_by_name(steps: list[Any]) -> None:
    """What was named stands in the cell's chain, in order, and its rig file describes the same plan."""
    names = [step if isinstance(step, str) else step["use"] for step in steps]
    refusal = ""
    try:
        made = plan({"compilers": [steps], "runtimes": ["litert", "onnxruntime"]})
    except IncompatibleError as error:
        refusal = error.message
    if refusal:
        assert any(f"{name} cannot follow" in refusal for name in names) or "runs" in refusal
        return
    for cell in made.cells:
        given_parts = [part for part in cell.compilers if part.use in names]
        ordered = iter(given_parts)
        assert all(any(part.use == name for part in ordered) for name in names)
    again = make_plan(parse_rig(Document(yaml.safe_load(rig_to_yaml(made.rig)), "again.yaml")))
    assert again == made
