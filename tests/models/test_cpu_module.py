"""Files of machine code: what they are bound to, damage, and other processors."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import ModelError
from edgerig.measure import cpu_features
from edgerig.models.cpu_module import Bound, Kernel, packed, unpacked, why_not_here
from edgerig.models.files import open_artifact
from edgerig.models.iree_names import kernel_of
from edgerig.tensors import TensorSpec

MODULE = b"\x7fELF machine code"


def bound(**changes: object) -> Bound:
    plain = Bound(
        engine="iree",
        version="3.13.0",
        triple=f"{cpu_features.architecture()}-linux-gnu",
        cpu="generic",
        features=(),
        scheme="float32",
        function="main",
        bytes=len(MODULE),
        inputs=(TensorSpec(name="x", shape=(1, 8), dtype="float32"),),
        outputs=(TensorSpec(name="y", shape=(1, 4), dtype="float32"),),
        kernels=(Kernel(name="k", op="matmul", dtype="float32"),),
    )
    return msgspec.structs.replace(plain, **changes)


def test_a_file_begins_as_the_engine_s_own_tools_read_it_and_comes_back() -> None:
    data = packed(bound(), MODULE)
    assert data.startswith(MODULE)
    assert unpacked(data, "net.vmfb", "iree") == (bound(), MODULE)


@given(st.integers(0, 600), st.binary(max_size=8))
def test_a_file_that_was_cut_or_changed_is_refused_or_whole(end: int, more: bytes) -> None:
    data = packed(bound(), MODULE)
    changed = data[:end] + more
    if changed == data:
        return
    with pytest.raises(ModelError, match=r"net\.vmfb"):
        unpacked(changed, "net.vmfb", "iree")


def test_what_was_cut_out_of_the_module_is_told() -> None:
    with pytest.raises(ModelError, match="10 bytes of a module of"):
        unpacked(packed(bound(), MODULE[:10]), "net.vmfb", "iree")


def test_a_file_of_another_engine_is_named() -> None:
    with pytest.raises(ModelError, match="compiled for iree, not for tvm"):
        unpacked(packed(bound(), MODULE), "net.so", "tvm")


def test_another_architecture_and_a_lesser_processor_are_named(tmp_path: Path) -> None:
    other = "aarch64" if cpu_features.architecture() != "aarch64" else "x86_64"
    reason = why_not_here(bound(triple=f"{other}-linux-gnu", cpu="cortex-a72"))
    assert f"is machine code for {other} (cortex-a72)" in str(reason)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("flags\t: fpu pni\nFeatures\t: fp\n")
    features = ("avx512f", "avx2", "neon", "sse3")
    reason = why_not_here(bound(cpu="znver4", features=features), tmp_path)
    assert "this processor lacks avx2, avx512f" in str(reason) or "this processor lacks neon" in str(reason)
    assert why_not_here(bound()) is None


def test_the_format_tells_what_the_file_tells(tmp_path: Path) -> None:
    path = tmp_path / "net.vmfb"
    path.write_bytes(packed(bound(), MODULE))
    artifact = open_artifact(path)
    assert (artifact.format, artifact.scheme, artifact.inputs) == ("iree", "float32", bound().inputs)
    library = tmp_path / "libedgetpu.so"
    library.write_bytes(MODULE)
    with pytest.raises(ModelError, match="no whole file of edgerig's compiler tvm"):
        open_artifact(library)


@pytest.mark.parametrize(
    ("name", "op", "dtype"),
    [
        ("main$async_dispatch_0_matmul_1x4x8_f32", "matmul", "float32"),
        ("main$async_dispatch_2_conv_26x26x8x3x3x1_f32", "conv", "float32"),
        ("main$async_dispatch_11_matmul_like_8x26x26x9_i8xi8xi32", "matmul_like", "int8"),
        ("main$async_dispatch_1_softmax_4xf32_dispatch_tensor_store", "softmax", "float32"),
        ("main$async_dispatch_3_elementwise_broadcast_10_f32", "elementwise_broadcast", "float32"),
        ("main$async_dispatch_4_elementwise_DxD_f32xi8", "elementwise", "float32"),
        ("main$async_dispatch_5", "main$async_dispatch_5", ""),
    ],
)
def test_the_name_of_a_function_of_iree_s_tells_what_it_computes(name: str, op: str, dtype: str) -> None:
    assert kernel_of(name) == Kernel(name=name, op=op, dtype=dtype)
