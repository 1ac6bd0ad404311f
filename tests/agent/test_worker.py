import hashlib
import socket
from pathlib import Path
from threading import Thread

import msgspec
import numpy as np
import pytest

from edgerig.agent.loading import errors_name
from edgerig.agent.worker import Worker
from edgerig.errors import InferenceError, ModelError, SpecError, StorageError, TargetError, UnknownNameError, WireError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.testing import faults
from edgerig.testing.networks.tflite_builder import counting_network
from edgerig.wire import messages
from edgerig.wire.client import WireClient
from edgerig.wire.frame import CHECKED, VERSION, FrameReader, Kind, Limits, encode
from edgerig.wire.link import PairLink
from edgerig.wire.messages import Failure

SAMPLE = np.arange(4, dtype=np.float32)


def view(*samples: np.ndarray) -> list[memoryview]:
    return [memoryview(np.stack(samples).tobytes())]


def test_hello_tells_version_limits_kinds_and_machine(client):
    state = client.hello()
    assert state.cores >= 1
    assert client.device.protocol == VERSION
    assert client.device.max_payload > 0
    more = {Kind.BEGIN, Kind.CENSUS, Kind.RING}
    assert set(client.device.kinds) == {Kind(k) for k in range(Kind.DATA, Kind.LOG + 1)} | more
    assert "litert" in client.device.runtimes
    assert client.device.clock


def test_stepwise_exchange_gives_what_run_gives(client, header, content):
    client.upload_model(header(), content)
    client.upload_input(view(SAMPLE))
    assert client.request_processing() > 0
    (output,) = client.download_output()
    np.testing.assert_array_equal(np.frombuffer(output, np.float32), SAMPLE * 2)
    statistics = client.download_statistics()
    assert statistics.inferences == 1
    assert statistics.last_inference_ns > 0
    assert statistics.machine is None
    answer = client.run(view(SAMPLE, SAMPLE + 1), 2)
    np.testing.assert_array_equal(np.frombuffer(answer.outputs[0], np.float32)[4:], (SAMPLE + 1) * 2)
    assert client.download_statistics(machine=True).machine.cores >= 1
    assert client.download_statistics().inferences == 3


def test_stats_tell_memory_and_sensors_when_asked_and_never_a_zero_for_want_of_a_sensor(client, header, content):
    client.upload_model(header(), content)
    plain = client.download_statistics()
    assert plain.memory is None
    assert plain.sensors is None
    asked = client.download_statistics(sensors=True)
    assert asked.memory.value > 1e6
    assert asked.cpu_ns > 0
    for kind in ("power", "temperature"):
        told = [name for name in asked.sensors if name.startswith(kind)]
        assert told
        if told == [kind]:
            assert asked.sensors[kind].reason


def test_process_answers_twice_and_the_first_answer_says_that_another_follows(pair, client, header, content):
    client.upload_model(header(), content)
    client.upload_input(view(SAMPLE))
    pair.sendall(b"".join(encode(Kind.PROCESS, 77)))
    reader = FrameReader(PairLink(pair))
    first, second = reader.read(), reader.read()
    assert (first.kind, first.request, first.more) == (Kind.OK, 77, True)
    assert (second.kind, second.request, second.more) == (Kind.OK, 77, False)


def test_data_stays_what_it_was_when_other_messages_follow(client, header, content):
    client.upload_model(header(), content)
    client.upload_input(view(SAMPLE))
    client.run(view(SAMPLE * 0, SAMPLE * 0), 2)
    client.request_processing()
    np.testing.assert_array_equal(np.frombuffer(client.download_output()[0], np.float32), SAMPLE * 2)


def test_messages_out_of_order_are_refused_and_the_session_goes_on(client, header, content):
    for ask in (client.request_processing, client.download_output, client.memory):
        with pytest.raises(InferenceError):
            ask()
    with pytest.raises(InferenceError, match="No network"):
        client.run(view(SAMPLE), 1)
    client.upload_model(header(), content)
    with pytest.raises(InferenceError, match="before DATA"):
        client.request_processing()
    client.upload_input(view(SAMPLE))
    client.request_processing()


def test_another_model_forgets_inputs_and_outputs_of_the_one_before(client, header, content):
    client.upload_model(header(), content)
    client.upload_input(view(SAMPLE))
    client.request_processing()
    client.upload_model(header(), content)
    assert client.download_statistics().inferences == 0
    with pytest.raises(InferenceError):
        client.download_output()


def test_wrong_hash_is_refused_and_nothing_is_stored(client, header, content, folder):
    with pytest.raises(ModelError, match="SHA-256"):
        client.upload_model(header(sha256="0" * 64), content)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("trick", ["../../evil", "/etc/passwd", "..", "a\0b", "", "x" * 300])
def test_no_text_of_the_host_becomes_a_path(client, header, content, folder, trick):
    loaded = client.upload_model(header(name=trick), content)
    assert [p.name for p in folder.iterdir()] == [loaded.sha256 + ".tflite"]
    with pytest.raises(UnknownNameError, match="format"):
        client.upload_model(header(name=trick, format=trick), content)
    assert [p.name for p in folder.iterdir()] in ([], [loaded.sha256 + ".tflite"])
    assert not [p for p in folder.parent.iterdir() if p != folder]


def test_a_format_of_the_host_is_looked_up_and_never_imported(client, header, content, folder, monkeypatch):
    (folder.parent / "imported").mkdir()
    (folder.parent / "imported" / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(folder.parent / "imported"))
    with pytest.raises(UnknownNameError, match="stranger:Net"):
        client.upload_model(header(format="stranger:Net"), content)
    assert not list(folder.iterdir())


def test_sha256_that_is_a_path_is_refused(client, header, content, folder):
    with pytest.raises(ModelError):
        client.upload_model(header(sha256="../../../evil"), content)
    assert not list(folder.iterdir())


def test_settings_are_checked_on_the_device(client, header, content):
    with pytest.raises(UnknownNameError, match="thread"):
        client.upload_model(header(options={"thread": 2}), content)
    with pytest.raises(SpecError, match="threads"):
        client.upload_model(header(options={"threads": 0}), content)
    with pytest.raises(SpecError, match="not a runtime"):
        client.upload_model(header(runtime="edgerig.errors:EdgerigError"), content)


@pytest.mark.parametrize("count", [0, 2, 3, 5, 2**32 - 1])
def test_tensors_that_do_not_fit_the_sample_count_are_refused(client, header, content, count):
    client.upload_model(header(), content)
    # Two and a bit samples of one tensor, announced as some other number.
    data = memoryview(bytes(36))
    with pytest.raises((WireError, InferenceError)):
        client.request(Kind.RUN, messages.pack_tensors(count, [36]), [data])
    client.run(view(SAMPLE), 1)


def test_too_many_tensors_are_refused(client, header, content):
    client.upload_model(header(), content)
    with pytest.raises(InferenceError, match="1 inputs, 2 came"):
        client.request(Kind.RUN, messages.pack_tensors(1, [16, 16]), [memoryview(bytes(32))])


def test_specification_is_told_again_until_a_reset_forgets_the_network(client, header, content):
    with pytest.raises(InferenceError, match="No network is loaded"):
        client.specification()
    loaded = client.upload_model(header(), content)
    assert client.specification() == loaded
    client.run(view(SAMPLE), 1)
    client.reset()
    for call in (client.specification, lambda: client.run(view(SAMPLE), 1)):
        with pytest.raises(InferenceError, match="No network is loaded"):
            call()
    client.upload_model(header(), content)
    client.run(view(SAMPLE), 1)
    assert client.download_statistics().inferences == 1


def test_network_may_come_in_parts_and_only_in_order(client, header, content):
    def part(start: int, stop: int, total: int = len(content)):
        return client.upload_model(header(offset=start, total=total), content[start:stop])

    middle, end = 10, len(content)
    for wrong in ((middle, end), (1, middle)):
        with pytest.raises(ModelError, match="in order"):
            client.request(Kind.MODEL, messages.pack(header(offset=wrong[0], total=end)), [content[slice(*wrong)]])
    assert not client.request(Kind.MODEL, messages.pack(header(total=end)), [content[:middle]]).payload
    with pytest.raises(ModelError, match=f"{middle} B are here"):
        client.request(Kind.MODEL, messages.pack(header(offset=5, total=end)), [content[5:middle]])
    with pytest.raises(ModelError, match="in order"):
        client.request(Kind.MODEL, messages.pack(header(offset=middle, total=end)), [memoryview(b"")])
    assert part(middle, end).sha256 == header().sha256
    client.run(view(SAMPLE), 1)


def test_more_parts_than_the_limit_allows_are_refused_before_they_come(client, header):
    with pytest.raises(ModelError, match="the limit is"):
        client.request(Kind.MODEL, messages.pack(header(total=10 * 1024**3)), [memoryview(b"x")])


def test_session_has_room_for_one_network(client, header, content, folder):
    client.upload_model(header(), content)
    for junk in (b"one", b"two"):
        named = header(sha256=hashlib.sha256(junk).hexdigest())
        client.upload_model(named, memoryview(junk))
    assert [path.read_bytes() for path in folder.iterdir()] == [b"two"]
    client.upload_model(header(), content)
    assert [path.read_bytes() for path in folder.iterdir()] == [bytes(content)]


def test_network_for_a_runtime_that_there_is_not_leaves_no_file_and_the_one_before_running(
    client, header, content, folder
):
    client.upload_model(header(), content)
    junk = b"ABCDEFGH"
    named = header(sha256=hashlib.sha256(junk).hexdigest(), runtime="no-such-runtime", total=len(junk))
    client.request(Kind.MODEL, messages.pack(named), [memoryview(junk)[:4]])
    with pytest.raises(UnknownNameError):
        client.request(Kind.MODEL, messages.pack(msgspec.structs.replace(named, offset=4)), [memoryview(junk)[4:]])
    assert not list(folder.iterdir())
    client.run(view(SAMPLE), 1)


def test_output_says_how_many_samples_it_is_of(client, header, content):
    client.upload_model(header(), content)
    data = view(SAMPLE, SAMPLE + 1)
    client.request(Kind.DATA, messages.pack_tensors(2, [data[0].nbytes]), data)
    client.request_processing()
    frame = client.request(Kind.OUTPUT)
    count, (output,) = messages.unpack_tensors(frame.header, frame.payload)
    assert count == 2
    np.testing.assert_array_equal(np.frombuffer(output, np.float32)[4:], (SAMPLE + 1) * 2)


def test_log_tells_the_end_of_what_was_printed(client, folder):
    assert client.log() == ""
    (folder / "stderr").write_text("x" * 10_000 + "\nthe last line ü\n")
    assert client.log().endswith("xxx\nthe last line ü\n")
    assert len(client.log()) < 5000


@pytest.mark.parametrize("kind", [Kind.LEASE, Kind.OK, 99, 255, 0])
def test_kinds_that_are_not_understood_are_answered_with_an_error(client, kind):
    with pytest.raises(TargetError, match=f"kind {int(kind)}"):
        client.request(kind)
    client.hello()


@pytest.mark.parametrize("kind", [Kind.HELLO, Kind.MODEL, Kind.RUN, Kind.STATS])
@pytest.mark.parametrize("junk", [b"\x00", b"\xff" * 20, b"\xc1", b"\x93\x01\x02", b"\xdd\xff\xff\xff\xff"])
def test_headers_that_are_junk_are_answered_with_an_error(client, header, content, kind, junk):
    client.upload_model(header(), content)
    with pytest.raises((WireError, InferenceError)):
        client.request(kind, junk)
    client.run(view(SAMPLE), 1)


def test_damaged_frame_is_told_and_ends_the_session(pair):
    good = b"".join(encode(Kind.HELLO, 1, b"header", [memoryview(b"payload")]))
    pair.sendall(good[:-1] + b"\0")
    frame = FrameReader(PairLink(pair)).read()
    assert frame.kind == Kind.ERROR
    assert messages.unpack(frame.header, Failure).code == messages.BAD_FRAME
    assert pair.recv(1) == b""


def test_garbage_before_a_frame_is_skipped(pair, client):
    pair.sendall(b"\xa5garbage\xa5ER\xa5ERG and more garbage")
    client.hello()


def test_ten_gigabytes_cannot_even_be_announced_and_two_are_refused_before_they_are_allocated(pair):
    from zlib import crc32

    from edgerig.measure.memory import peak_rss, reset_peak
    from edgerig.wire.frame import _COVERED, _CRC, SYNC

    reset_peak()
    before = peak_rss().value
    covered = _COVERED.pack(SYNC, VERSION, Kind.MODEL, 0, 1, 0, 0, 2 * 1024**3, 0, 0)
    pair.sendall(covered + _CRC.pack(crc32(covered)))
    frame = FrameReader(PairLink(pair)).read()
    assert "2147483648 B was announced" in messages.unpack(frame.header, Failure).message
    assert peak_rss().value - before < 500e6


def test_memory_tells_the_process_before_the_network_and_at_its_peak(client, header, content):
    client.upload_model(header(), content)
    client.run(view(SAMPLE), 1)
    memory = client.memory()
    assert isinstance(memory["peak_rss"], Measurement)
    assert isinstance(memory["rss_before_load"], Measurement)
    assert memory["peak_rss"].value >= memory["rss_before_load"].value


def test_fault_of_a_plugin_is_told_as_one(client, header, content, monkeypatch):
    def fail(self):
        raise KeyError("oops")

    monkeypatch.setattr(faults.Faulty, "_memory", fail)
    client.upload_model(header(), content)
    with pytest.raises(TargetError, match=r"KeyError.*oops"):
        client.memory()


def test_full_disk_on_the_device_is_told_as_such(client, header, content, folder):
    (folder / "network.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left"):
        client.upload_model(header(), content)
    assert client.upload_model(header(), content).sha256 == header().sha256


@pytest.mark.parametrize("checked", [True, False])
def test_answers_carry_a_checksum_if_the_request_did(pair, client, header, content, checked):
    client.upload_model(header(), content)
    reader = FrameReader(PairLink(pair))
    for request in (1, 2, 3):
        tensors = messages.pack_tensors(1, [16])
        pair.sendall(b"".join(encode(Kind.RUN, request, tensors, view(SAMPLE), checked=checked)))
        assert bool(reader.read().flags & CHECKED) == checked


def test_errors_name_the_file_as_its_owner_does(tmp_path: Path) -> None:
    path = tmp_path / "0a1b2c3d.tflite"
    words = r"^litert cannot load net\.tflite, that is net\.tflite: no\."
    with pytest.raises(ModelError, match=words) as caught, errors_name(path, "net.tflite"):
        raise ModelError(f"litert cannot load {path.name}, that is {path}: no.", "Mend it.")
    assert caught.value.hint == "Mend it."


@pytest.mark.parametrize(("limit", "most"), [(1 << 20, 1), (16 << 20, 4)])
def test_an_answer_beyond_the_limit_of_messages_is_refused_before_it_is_made(folder, header, limit, most):
    """4 B a sample come in, and 4 MB go out: without a bound, a message of 4 kB would take 4 GB."""
    from onnx import TensorProto, helper

    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1_000_000])
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", 1), ("y", 1_000_000))]
    graph = helper.make_graph([helper.make_node("Expand", ["x", "shape"], ["y"])], "g", ends[:1], ends[1:], [shape])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    network = made.SerializeToString()
    ours, theirs = socket.socketpair()
    thread = Thread(target=Worker(PairLink(theirs), folder, limits=Limits(payload=limit)).serve)
    thread.start()
    try:
        client = WireClient(PairLink(ours), who="the worker", timeout=20)
        digest = hashlib.sha256(network).hexdigest()
        client.upload_model(header(runtime="onnxruntime", format="onnx", sha256=digest), memoryview(network))
        samples = [np.full(1, at, np.float32) for at in range(most + 1)]
        answer = client.run(view(*samples[:most]), most)
        assert np.frombuffer(answer.outputs[0], np.float32)[-1] == most - 1
        with pytest.raises(InferenceError, match=f"{most + 1} samples would be answered by {(most + 1) * 4_000_008} B"):
            client.run(view(*samples), most + 1)
        assert client.download_statistics().inferences == most
    finally:
        ours.close()
        thread.join(20)
        theirs.close()
    assert not thread.is_alive()


def test_utilisation_is_sampled_from_begin_to_end_and_only_then(client, header, content):
    client.upload_model(header(), content)
    assert "anew" in client.utilisation("end").reason
    assert isinstance(client.utilisation("begin"), Unavailable)
    client.run(view(SAMPLE, SAMPLE), 2)
    utilisation = client.utilisation("end")
    assert utilisation.inferences == 2
    assert len(utilisation.seconds) >= 2
    assert {series.name for series in utilisation.series} >= {"CPU load of the process", "memory of the process"}
    assert 0 < utilisation.cpu_seconds <= utilisation.sampling_seconds + 0.01
    assert client.download_statistics().utilisation is None
    assert "anew" in client.utilisation("end").reason


def test_network_that_is_replaced_ends_the_sampling(client, header, content):
    client.upload_model(header(), content)
    client.utilisation("begin")
    client.upload_model(header(), content)
    assert "anew" in client.utilisation("end").reason


def test_begin_makes_state_what_it_was_after_loading_and_keeps_the_counters(client, header):
    content = counting_network(start=3.0)
    client.upload_model(header(runtime="litert", sha256=hashlib.sha256(content).hexdigest()), memoryview(content))
    for _ in range(2):
        sums = [float(np.frombuffer(client.run(view(SAMPLE), 1).outputs[0], np.float32)[1]) for _ in range(3)]
        assert sums == [4.0, 5.0, 6.0]
        client.begin_sequence()
    assert client.download_statistics().inferences == 6
    client.reset()
    with pytest.raises(InferenceError, match="No network is loaded"):
        client.begin_sequence()
