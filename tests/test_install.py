import json
from pathlib import Path

import pytest

from edgerig.install import install_command


def installation(folder: Path, direct_url: dict[str, object] | str | None) -> list[str]:
    """A folder as pip leaves it, for edgerig from somewhere."""
    info = folder / "edgerig-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edgerig\nVersion: 1.0\n")
    if direct_url is not None:
        (info / "direct_url.json").write_text(direct_url if isinstance(direct_url, str) else json.dumps(direct_url))
    return [str(folder)]


def test_from_an_index_the_name_is_enough(tmp_path: Path) -> None:
    search = installation(tmp_path, None)
    assert install_command("boards", "onnx", search=search) == "pip install 'edgerig[boards,onnx]'"
    assert install_command(search=search) == "pip install edgerig"


@pytest.mark.parametrize("editable", [True, False])
def test_from_a_checkout_it_names_the_checkout(tmp_path: Path, editable: bool) -> None:
    checkout = tmp_path / "my clone"
    checkout.mkdir()
    direct = {"url": checkout.as_uri(), "dir_info": {"editable": editable}}
    search = installation(tmp_path / "site", direct)
    option = "-e " if editable else ""
    assert install_command("train", search=search) == f"pip install {option}'{checkout}[train]'"


def test_from_a_wheel_it_names_the_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "edgerig-1.0-py3-none-any.whl"
    wheel.touch()
    search = installation(tmp_path / "site", {"url": wheel.as_uri(), "archive_info": {}})
    assert install_command("onnx", search=search) == f"pip install '{wheel}[onnx]'"


def test_what_it_was_installed_from_may_be_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    search = installation(tmp_path / "site", {"url": gone.as_uri(), "dir_info": {}})
    assert (
        install_command("onnx", search=search)
        == f"pip install '.[onnx]' in a checkout of edgerig (that in {gone} is gone)"
    )


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"url": 7}', '{"url": "https://host/edgerig.whl"}'])
def test_what_cannot_be_read_counts_as_an_index(tmp_path: Path, text: str) -> None:
    assert install_command("onnx", search=installation(tmp_path, text)) == "pip install 'edgerig[onnx]'"


def test_where_it_is_not_installed_at_all_the_name_is_given(tmp_path: Path) -> None:
    assert install_command("onnx", search=[str(tmp_path)]) == "pip install 'edgerig[onnx]'"
