"""Files that are no networks which edgerig reads: what they are, by their content or their suffix, and what to do."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from edgerig.errors import ModelError

#: Bytes at the beginning of a file that are looked at.
_HEAD = 512
#: TFLite's identifier, and where it stands; HDF5's; that of a ZIP archive.
_TFLITE, _TFLITE_AT = b"TFL3", slice(4, 8)
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
#: First bytes of what holds another file within: program that unpacks it.
_PACKED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ\0": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"7z\xbc\xaf\x27\x1c": "7z x",
}
#: Suffixes of formats whose files never are ZIP archives.
_NO_ARCHIVES = frozenset({".tflite", ".onnx", ".h5", ".hdf5"})


class Other(NamedTuple):
    """What a file is, as the end of a sentence that begins with its name and a colon; and what to do."""

    what: str
    hint: str


_PYTORCH = Other(
    "a file of PyTorch, which edgerig does not read: it can run code, and need not tell the network",
    "Save the network: torch.export.save(torch.export.export(model.eval(), (sample,)), 'net.pt2').",
)
_PICKLED = Other(
    "a pickled object of Python, which edgerig does not read: it can run code",
    "Export the network or the trees from the program that made it: models of scikit-learn by skl2onnx to .onnx, of "
    "PyTorch by torch.export to .pt2, of Keras by model.save('x.keras').",
)
_WEIGHTS = Other(
    "weights alone, which do not tell the network",
    "Load them into the network where it is defined, and save all of it: model.save('x.keras') in Keras, "
    "torch.export.save(torch.export.export(model.eval(), (sample,)), 'net.pt2') in PyTorch.",
)
_APPLE = Other(
    "a network for Core ML, which runs on Apple's devices alone", "Give the network that it was converted from."
)
_CAFFE = Other("a file of Caffe, which edgerig does not read", "Convert the network to ONNX.")
_DARKNET = Other("a file of Darknet, which edgerig does not read", "Export the network to ONNX from a port to PyTorch.")
_LANGUAGE = Other(
    "a language model of llama.cpp, which edgerig does not run", "llama-bench, which comes with it, measures it."
)
_CHIP = Other(
    "a network that a maker's tool compiled for its own chip, which edgerig does not read",
    "Give the network that it was compiled from.",
)
_ARRAYS = Other("arrays, and no network", "A dataset of these is run by: --dataset npz.")
_RIG = Other("a rig file or a workflow, and no network", "edgerig run RIG, or edgerig workflow run FILE.")
_ARCHIVE = Other("an archive", "Unpack it, and give the file with the network in it.")
_TREES = Other(
    "a file of trees that edgerig does not read",
    "Make ONNX of them: LightGBM by onnxmltools, CatBoost by save_model(.., format='onnx').",
)
#: What files of other suffixes usually are.
BY_SUFFIX = {
    ".pb": Other(
        "a graph of TensorFlow, which edgerig does not read",
        "If it lies in a SavedModel, give that folder: `edgerig compile FOLDER --to float32`. "
        "A frozen graph goes by way of tf.compat.v1.lite.TFLiteConverter.from_frozen_graph.",
    ),
    ".ort": Other("a network in ONNX Runtime's own format, which edgerig does not read", "Give the .onnx file."),
    ".bin": Other(
        "the weights that belong to another file",
        "Of OpenVINO give the .xml, of ncnn the .param. Of PyTorch: " + _WEIGHTS.hint,
    ),
    **dict.fromkeys((".pt", ".pth"), _PYTORCH),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".sav"), _PICKLED),
    **dict.fromkeys((".safetensors", ".ckpt", ".index", ".meta", ".data-00000-of-00001"), _WEIGHTS),
    **dict.fromkeys((".mlmodel", ".mlpackage", ".mlmodelc"), _APPLE),
    **dict.fromkeys((".caffemodel", ".prototxt"), _CAFFE),
    **dict.fromkeys((".weights", ".cfg"), _DARKNET),
    **dict.fromkeys((".gguf", ".ggml"), _LANGUAGE),
    **dict.fromkeys((".rknn", ".hef", ".dlc", ".kmodel", ".nb", ".cvimodel", ".blob", ".tmfile"), _CHIP),
    **dict.fromkeys((".npz", ".npy", ".mat"), _ARRAYS),
    **dict.fromkeys((".yaml", ".yml"), _RIG),
    **dict.fromkeys((".zip", ".gz", ".tgz", ".tar", ".xz", ".bz2", ".7z", ".zst"), _ARCHIVE),
    **dict.fromkeys((".cbm", ".lgb"), _TREES),
}


def other_file(path: Path) -> Other | None:
    """What a file, or a folder, of no format of edgerig's is; None where nothing is known of it."""
    head = _head(path)
    if head[_TFLITE_AT] == _TFLITE:
        return Other("a TFLite file by its content", f"Call it {path.stem or path.name}.tflite.")
    if head.startswith(_HDF5):
        return Other("an HDF5 file", f"If it is a network of Keras, call it {path.stem}.h5.")
    return _no_network(head, path) or BY_SUFFIX.get(path.suffix.lower())


def check_content(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that is called a network and is something else.

    Args:
        suffixes: Of the format that it is called after.

    Raises:
        ModelError: It is; says what, and what to do.
    """
    head = _head(path)
    other = _no_network(head, path)
    if other is None and head[_TFLITE_AT] == _TFLITE and ".tflite" not in suffixes:
        other = Other("a TFLite file by its content", f"Call it {path.stem}.tflite.")
    if other is None and head.startswith(_ZIP) and _NO_ARCHIVES.intersection(suffixes) and ".keras" not in suffixes:
        other = Other("a ZIP archive", "Unpack it, and give the file with the network in it.")
    if other is not None:
        raise ModelError(f"{path.name}: {other.what}, and no {path.suffix} file.", other.hint)


def _no_network(head: bytes, path: Path) -> Other | None:
    """What never is a network, whatever it is called."""
    if head.startswith(b"version https://git-lfs."):
        return Other(
            "a pointer to a file that Git LFS keeps elsewhere", f"Fetch it: git lfs pull --include {path.name}"
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return Other(
            "a page of the web",
            "Download the file itself, and not the page about it: `raw` on GitHub, `/resolve/` in place of `/blob/` on "
            "Hugging Face.",
        )
    for magic, program in _PACKED.items():
        if head.startswith(magic):
            return Other("a packed file", f"Unpack it: {program} {path.name}")
    return None


def _head(path: Path) -> bytes:
    # What cannot be read is told by its reader.
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_HEAD)
    return b""
