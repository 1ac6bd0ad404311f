"""A dataset in a store is settled on when a run begins: in the bundle, when it goes on, and without any secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.store.small_server import SmallServer, small_server

from edgerig.cli import main, test_command
from edgerig.engine.api import plan
from edgerig.engine.pinning import pinned
from edgerig.engine.prepare import dataset_of
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.store import Versions, open_store
from edgerig.store.adding import add_files
from edgerig.store.folders import folder_files
from edgerig.testing import networks

SECRET = "any-secret"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    monkeypatch.delenv("EDGERIG_CREDENTIALS", raising=False)
    with small_server() as state:
        assert state.environment["AWS_SECRET_ACCESS_KEY"] == SECRET
        for name, value in state.environment.items():
            monkeypatch.setenv(name, value)
        yield state


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return networks.dense_tflite(tmp_path / "net.tflite", 784, 2)


def add_version(folder: Path, store: str, shade: int) -> str:
    """Commit ten pictures of two classes as the next version; returns its hash."""
    for name in ("dark", "light"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(5):
            Image.new("L", (28, 28), shade + 5 * number + (100 if name == "light" else 0)).save(
                folder / name / f"{shade}-{number}.png"
            )
    content = folder_files(folder)
    versions = Versions(open_store(store, writing=True), "shades")
    return add_files(versions, content.files, content.classes, Progress()).version.sha256


def rig(network: Path, dataset: object) -> dict[str, object]:
    return {"model": str(network), "dataset": dataset, "measure": {"rounds": 1, "seconds": 0, "samples": 4}}


def test_a_rig_file_names_a_version_by_its_address(small: SmallServer, network: Path, tmp_path: Path) -> None:
    sha256 = add_version(tmp_path / "photos", "s3://lab", 0)
    for dataset in ("s3://lab/shades@1", {"use": "s3://lab/shades", "size": 28, "channels": 1}):
        settled = pinned(plan(rig(network, dataset)), None).rig.dataset
        assert (settled.use, settled.options["address"]) == ("stored", "s3://lab/shades@1")
        assert settled.options["sha256"] == sha256


def test_a_folder_lies_beside_the_rig_file(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_version(tmp_path / "photos", str(tmp_path / "here" / "store"), 0)
    path = tmp_path / "here" / "rig.yaml"
    path.write_text(yaml.safe_dump(rig(network, {"use": "store/shades", "size": 28, "channels": 1})))
    monkeypatch.chdir(tmp_path / "photos")
    assert plan(path).rig.dataset.options["address"] == str(tmp_path / "here" / "store" / "shades")
    assert dataset_of(pinned(plan(path), None).rig).classes == ("dark", "light")


@pytest.mark.slow
def test_a_bundle_says_the_version_and_a_run_that_goes_on_keeps_it(
    small: SmallServer, network: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sha256 = add_version(tmp_path / "photos", "s3://lab", 0)
    document = rig(network, {"use": "s3://lab/shades", "size": 28, "channels": 1})
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(document))
    out = tmp_path / "bundle"
    log = tmp_path / "log.txt"
    with pytest.raises(SystemExit) as caught:
        main(["-vv", "--log-file", str(log), "run", str(tmp_path / "rig.yaml"), "--out", str(out)])
    captured = capfd.readouterr()
    assert caught.value.code == 0, captured.err
    result = Bundle(out).whole()
    settled = {"address": "s3://lab/shades@1", "sha256": sha256, "size": 28, "channels": 1}
    assert result.dataset.name == "s3://lab/shades@1"
    assert result.dataset.options == settled
    assert yaml.safe_load((out / "rig.yaml").read_text())["dataset"] == {"use": "stored", **settled}

    add_version(tmp_path / "photos", "s3://lab", 1)
    resumed = pinned(plan(tmp_path / "rig.yaml"), Bundle(out))
    assert resumed.rig.dataset.options == settled, "a newer version does not change a run that goes on"
    assert pinned(plan(tmp_path / "rig.yaml"), None).rig.dataset.options["address"] == "s3://lab/shades@2"
    (tmp_path / "rig.yaml").write_text(
        yaml.safe_dump(rig(network, {"use": "s3://lab/shades@2", "size": 28, "channels": 1}))
    )
    other = pinned(plan(tmp_path / "rig.yaml"), Bundle(out))
    assert other.rig.dataset.options["address"] == "s3://lab/shades@2", "what the rig file says counts"

    for text in (captured.out, captured.err, log.read_text()):
        assert SECRET not in text
    for path in out.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_a_test_records_the_version_that_was_the_newest(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # Samples are not repeated for a second of inference: nothing here is about how exact a time is.
    monkeypatch.setitem(test_command._OF_BENCH, "seconds", 0)
    for shade in (0, 1):
        add_version(tmp_path / "photos", "data", shade)
    words = (
        "--dataset-option",
        "channels=1",
        "--dataset-option",
        "size=28",
        "--rounds",
        "1",
        "--history",
        "history",
        "--json",
    )
    with pytest.raises(SystemExit) as caught:
        main(["test", str(network), "--dataset", "data/shades", *words])
    captured = capfd.readouterr()
    assert caught.value.code == 0, captured.err
    (test,) = json.loads(captured.out)["tests"]
    assert test["dataset"]["address"] == "data/shades@2"
