"""Who is let in: TLS, certificates, tokens, and what everybody else is told."""

import contextlib
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.agent import admission
from edgerig.agent.keys import _issue, _load_ca, make_keys
from edgerig.agent.server import Address, Agent
from edgerig.errors import AnswerError, InferenceError, SpecError, TargetError, UsageError
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.wire.client import WireClient
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import TcpLink
from edgerig.wire.messages import Challenge, Hello, pack
from edgerig.wire.ownership import Owner, host_proof, load_token
from edgerig.wire.tls import device_context

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A CA with keys for this machine and two hosts, and a CA of somebody else."""
    folder = tmp_path_factory.mktemp("lab")
    make_keys(folder, ["localhost", "127.0.0.1"], ["desk"])
    make_keys(folder, ["elsewhere"], [])
    make_keys(folder / "other", ["localhost", "127.0.0.1"], ["eve"])
    ca, past = _load_ca(folder / "ca"), datetime.now(UTC) - timedelta(hours=1)
    _issue(ca, folder / "expired-agent", "localhost", ["localhost", "127.0.0.1"], past)
    _issue(ca, folder / "expired-client", "desk", [], past)
    return folder


@pytest.fixture
def token_file(tmp_path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(admission, "PENALTY", 0.0)
    monkeypatch.delenv("EDGERIG_TOKEN", raising=False)
    monkeypatch.delenv("EDGERIG_TLS", raising=False)


def secure(start_agent, lab, name="agent-localhost", **more) -> Agent:
    return start_agent(tls=device_context(lab / name), runtimes=(faults.NAME,), **more)


def check(agent: Agent, **settings) -> None:
    target = target_for(str(agent.address), {key: str(value) for key, value in settings.items()})
    try:
        target.check()
    finally:
        target.close()


def runs(agent: Agent, artifact, x, **settings) -> bool:
    target = target_for(str(agent.address), {key: str(value) for key, value in settings.items()})
    with target.open(artifact, faults.NAME, {}) as session:
        good = bool(np.array_equal(session.run(x).outputs[0], x[0] * 2))
    target.close()
    return good


# ---- TLS


def test_host_and_device_of_one_ca_work_together(start_agent, lab, faulty, x):
    agent = secure(start_agent, lab)
    assert runs(agent, faulty, x, tls=lab / "client-desk")
    assert runs(agent, faulty, x, tls=lab / "client-desk")


@pytest.mark.slow
def test_large_messages_pass_through_tls_both_ways(start_agent, lab, faulty):
    agent = secure(start_agent, lab)
    samples = np.random.default_rng(1).normal(size=(400_000, 4)).astype(np.float32)
    target = target_for(str(agent.address), {"tls": str(lab / "client-desk")})
    with target.open(faulty, faults.NAME, {}) as session:
        count = session.largest
        answer = session.client.run([memoryview(samples[:count].reshape(-1).view(np.uint8))], len(samples[:count]))
        np.testing.assert_array_equal(np.frombuffer(answer.outputs[0], np.float32), samples[:count].reshape(-1) * 2)
    target.close()


def test_version_is_1_3_and_nothing_less(start_agent, lab):
    agent = secure(start_agent, lab)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(lab / "ca" / "ca.pem")
    context.load_cert_chain(lab / "client-desk" / "cert.pem", lab / "client-desk" / "key.pem")
    with context.wrap_socket(connect(agent), server_hostname="localhost") as connected:
        assert connected.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(agent) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def eventually(condition) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def connect(agent: Agent) -> socket.socket:
    return socket.create_connection((agent.address.host, agent.address.port), 10)


def test_plain_host_is_told_that_the_device_speaks_tls(start_agent, lab):
    with pytest.raises(TargetError, match="speaks TLS only") as caught:
        check(secure(start_agent, lab))
    assert "`tls`" in caught.value.hint


def test_plain_device_is_told_not_to_speak_tls(start_agent, lab):
    with pytest.raises(TargetError, match="does not speak TLS"):
        check(start_agent(), tls=lab / "client-desk")


def test_server_of_something_else_is_not_spoken_to(lab):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        from threading import Thread

        def serve():
            connected, _ = listener.accept()
            with connected:
                connected.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connected.recv(1)

        thread = Thread(target=serve)
        thread.start()
        with pytest.raises(TargetError, match="does not speak TLS"):
            target_for(f"tcp://127.0.0.1:{listener.getsockname()[1]}", {"tls": str(lab / "client-desk")}).check()
        thread.join()


def test_device_that_hangs_in_the_handshake_is_given_up(lab, monkeypatch):
    monkeypatch.setattr("edgerig.targets.remote.tcp.CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = target_for(f"tcp://127.0.0.1:{listener.getsockname()[1]}", {"tls": str(lab / "client-desk")})
        with pytest.raises(TargetError, match="no answer"):
            target.check()


@pytest.mark.parametrize(
    ("client", "words"),
    [("other/client-eve", "another CA made it|not to be trusted"), ("expired-client", "expired")],
)
def test_wrong_certificate_of_a_host_is_refused_by_name(start_agent, lab, tmp_path, client, words):
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("cert.pem", "key.pem"):
        (keys / name).write_bytes((lab / client / name).read_bytes())
    # It trusts the right CA: only the device has a reason to refuse.
    (keys / "ca.pem").write_bytes((lab / "ca" / "ca.pem").read_bytes())
    log = []
    agent = secure(start_agent, lab, log=log.append)
    with pytest.raises(TargetError, match=words):
        check(agent, tls=keys)
    assert eventually(lambda: any("not to be trusted" in line for line in log))


def test_certificate_of_a_device_lets_nobody_in_as_a_host(start_agent, lab):
    with pytest.raises(TargetError, match="refuses our certificate"):
        check(secure(start_agent, lab), tls=lab / "agent-elsewhere")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("other/agent-localhost", "not to be trusted"),
        ("expired-agent", "expired"),
        ("agent-elsewhere", "not for that name or address"),
        ("client-desk", "not to be trusted"),
    ],
)
def test_wrong_certificate_of_a_device_is_refused_by_name(start_agent, lab, device, words):
    with pytest.raises(TargetError, match=words):
        check(secure(start_agent, lab, device), tls=lab / "client-desk")


def test_host_without_a_certificate_is_told_so(start_agent, lab):
    agent = secure(start_agent, lab)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(lab / "ca" / "ca.pem")
    from edgerig.wire.tls import connect_tls

    # In TLS 1.3 a host has finished its part before the device refuses it: the first answer tells.
    client = WireClient(connect_tls(connect(agent), context, "localhost", "the device"), who="the device", timeout=10)
    with pytest.raises(TargetError, match="asks for a certificate"):
        client.hello()
    client.close()
    assert not agent._host.workers


@pytest.mark.parametrize("setting", ["tls", "token_file"])
def test_settings_that_name_nothing_are_told_before_anything_is_sent(start_agent, tmp_path, setting):
    with pytest.raises(SpecError):
        check(start_agent(), **{setting: tmp_path / "absent"})


def test_client_that_says_nothing_in_the_handshake_is_closed(start_agent, lab, monkeypatch):
    monkeypatch.setattr("edgerig.agent.server.HELLO_SECONDS", 1.0)
    agent = secure(start_agent, lab)
    with connect(agent) as silent, connect(agent) as half:
        half.sendall(b"\x16\x03\x01\x02\x00")
        assert silent.recv(1) == b""
        assert half.recv(1000) in (b"",) or half.recv(1000) == b""
    check(agent, tls=lab / "client-desk")


def test_host_that_does_not_want_the_device_gives_it_back(start_agent, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    token.chmod(0o600)
    agent = start_agent(lease=30.0)
    with pytest.raises(TargetError, match="does not ask for the token"):
        check(agent, token_file=token)
    check(agent)


def test_client_that_drips_bytes_is_closed_in_time(start_agent, monkeypatch):
    monkeypatch.setattr("edgerig.agent.server.HELLO_SECONDS", 1.0)
    agent = start_agent()
    with connect(agent) as slow:
        slow.settimeout(0.2)
        sent = 0
        for byte in encode(Kind.HELLO, 1, bytes(200))[0]:
            try:
                slow.send(bytes([byte]))
                sent += 1
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert sent < 20


def test_network_that_crashes_behind_tls_tells_its_last_words(start_agent, lab, faulty, x):
    agent = secure(start_agent, lab)
    target = target_for(str(agent.address), {"tls": str(lab / "client-desk")})
    session = target.open(faulty, faults.NAME, {"fault": "abort"})
    with pytest.raises(TargetError, match=r"SIGABRT.*upside down"):
        session.run(x)
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(session.run(x).times_ns) == 5
    target.close()


# ---- token


def test_token_lets_in_and_never_crosses_the_wire(start_agent, token_file, faulty, x, monkeypatch):
    sent = []
    for link in (TcpLink,):
        real = link.send
        monkeypatch.setattr(
            link, "send", lambda self, parts, real=real: (sent.append(b"".join(parts)), real(self, parts))
        )
    agent = start_agent(token=TOKEN.encode(), runtimes=(faults.NAME,))
    assert runs(agent, faulty, x, token_file=token_file)
    assert sent
    assert not any(TOKEN.encode() in data for data in sent)


def test_token_out_of_the_environment_lets_in(start_agent, monkeypatch):
    agent = start_agent(token=TOKEN.encode())
    monkeypatch.setenv("EDGERIG_TOKEN", TOKEN)
    check(agent)


def test_host_without_a_token_is_told_what_to_set(start_agent):
    agent = start_agent(token=TOKEN.encode())
    with pytest.raises(AnswerError, match="asks for a token") as caught:
        check(agent)
    assert "`token_file`" in caught.value.hint
    assert "EDGERIG_TOKEN" in caught.value.hint


@pytest.mark.parametrize("wrong", [TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "x" * 28])
def test_wrong_token_is_refused(start_agent, tmp_path, wrong):
    log = []
    agent = start_agent(token=TOKEN.encode(), log=log.append)
    (tmp_path / "wrong").write_text(wrong)
    with pytest.raises(TargetError, match="token is wrong"):
        check(agent, token_file=tmp_path / "wrong")
    assert eventually(lambda: any("token is wrong" in line for line in log))


def test_device_that_only_pretends_to_know_the_token_is_found_out(start_agent, token_file, monkeypatch):
    agent = start_agent(token=TOKEN.encode())
    monkeypatch.setattr(admission, "device_proof", lambda *_: bytes(32))
    with pytest.raises(TargetError, match="does not know it itself"):
        check(agent, token_file=token_file)


def test_device_that_does_not_ask_for_the_token_is_not_trusted(start_agent, token_file):
    with pytest.raises(TargetError, match="does not ask for the token"):
        check(start_agent(), token_file=token_file)


def ask(agent: Agent, owner: Owner | None) -> None:
    with connect(agent) as connected:
        client = WireClient(TcpLink(connected), who="the device", timeout=10)
        with pytest.raises(Challenge) as caught:
            client.request(Kind.HELLO, pack(Hello(1, "x", 1000, 1000)))
        assert len(caught.value.nonce) == 32
        client.request(Kind.HELLO, pack(Hello(1, "x", 1000, 1000, owner=owner)))


@pytest.mark.parametrize(
    "owner",
    [
        None,
        Owner(""),
        Owner("", nonce=bytes(32)),
        Owner("", nonce=bytes(32), proof=bytes(32)),
        Owner("", nonce=b"", proof=host_proof(TOKEN.encode(), b"", b"", "")),
        # A proof for the nonce of another connection.
        Owner("", nonce=bytes(32), proof=host_proof(TOKEN.encode(), bytes(32), bytes(32), "")),
    ],
)
def test_proofs_that_are_none_are_refused(start_agent, owner):
    agent = start_agent(token=TOKEN.encode())
    with pytest.raises(TargetError, match="token is wrong"):
        ask(agent, owner)


def test_answer_heard_on_one_connection_does_not_open_another(start_agent, token_file, monkeypatch):
    heard = []
    real = TcpLink.send
    monkeypatch.setattr(TcpLink, "send", lambda self, parts: (heard.append(b"".join(parts)), real(self, parts)))
    agent = start_agent(token=TOKEN.encode())
    check(agent, token_file=token_file)
    monkeypatch.undo()
    monkeypatch.setattr(admission, "PENALTY", 0.0)
    (proven,) = [data for data in heard if data[5] == Kind.HELLO and b"proof" not in data and len(data) > 170][:1]
    with connect(agent) as connected:
        reader = FrameReader(TcpLink(connected))
        connected.sendall(proven)
        assert reader.read().kind == Kind.ERROR
        connected.sendall(proven)
        assert reader.read().kind == Kind.ERROR


def test_no_process_is_started_and_nothing_is_told_before_the_token(start_agent, monkeypatch):
    monkeypatch.setattr("edgerig.agent.visit.WorkerProcess", None)
    monkeypatch.setattr("edgerig.agent.server.describe_device", None)
    agent = start_agent(token=TOKEN.encode())
    for _ in range(20):
        with pytest.raises(AnswerError, match="asks for a token"):
            check(agent)


def test_worker_does_not_get_the_token(start_agent, token_file, faulty, monkeypatch):
    monkeypatch.setenv("EDGERIG_TOKEN", TOKEN)
    agent = start_agent(token=TOKEN.encode(), runtimes=(faults.NAME,))
    target = target_for(str(agent.address))
    with target.open(faulty, faults.NAME, {}):
        (worker,) = agent._host.workers
        assert TOKEN.encode() not in Path(f"/proc/{worker.pid}/environ").read_bytes()
        assert TOKEN.encode() not in Path(f"/proc/{worker.pid}/cmdline").read_bytes()
    target.close()


@pytest.mark.parametrize("text", ["", "short", "two lines of\ntokens are none", "\u00e9" * 30, "x" * 5000])
def test_tokens_that_are_no_secret_are_refused(tmp_path, text):
    (tmp_path / "token").write_text(text)
    with pytest.raises(SpecError, match="token"):
        load_token(tmp_path / "token")


def test_tls_and_token_go_together(start_agent, lab, token_file, faulty, x):
    agent = secure(start_agent, lab, token=TOKEN.encode())
    assert runs(agent, faulty, x, tls=lab / "client-desk", token_file=token_file)
    with pytest.raises(AnswerError, match="asks for a token"):
        check(agent, tls=lab / "client-desk")


# ---- the command


@pytest.mark.slow
def test_command_lets_in_by_tls_and_token_and_refuses_what_is_open(lab, token_file, faulty, x):
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", "0.0.0.0:0", "--runtime", faults.NAME]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "--tls" in refused.stderr
    words += ["--tls", str(lab / "agent-localhost"), "--token-file", str(token_file), "--sessions", "2"]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = agent.stdout.readline().rpartition(":")[2].strip()
        target = target_for(f"tcp://localhost:{port}", {"tls": str(lab / "client-desk"), "token_file": str(token_file)})
        with target.open(faulty, faults.NAME, {}) as session:
            assert len(session.run(x).times_ns) == 5
        target.close()
    finally:
        agent.terminate()
        _, told = agent.communicate(timeout=30)
    assert f"every user of this machine may read {token_file}" in told


@pytest.mark.parametrize("guard", ["tls", "token", "insecure"])
def test_other_addresses_than_loopback_need_one_of_three_words(lab, guard):
    words = {"tls": device_context(lab / "agent-localhost"), "token": TOKEN.encode(), "insecure": True}
    with pytest.raises(UsageError, match="other machines"):
        Agent(Address("0.0.0.0", 0))
    Agent(Address("0.0.0.0", 0), **{guard: words[guard]}).close()


# ---- limits, and what is never done


def limited(start_agent, **limits) -> Agent:
    from edgerig.agent.worker_process import WorkerLimits

    return start_agent(runtimes=(faults.NAME,), limits=WorkerLimits(**limits))


def test_network_above_the_limit_is_not_even_sent(start_agent, tmp_path):
    agent = limited(start_agent, model=10)
    target = target_for(str(agent.address))
    with pytest.raises(TargetError, match=r"at most 10 B.*anything\.tflite has"):
        target.open(faults.any_artifact(tmp_path), faults.NAME, {})
    target.close()


def announce(kind: int, length: int, request: int) -> bytes:
    """A frame without its payload."""
    covered = struct.pack("<4sBBHIHHIII", b"\xa5ERG", 1, kind, 0, request, 0, 0, length, 0, 0)
    return covered + struct.pack("<I", crc32(covered))


@pytest.mark.parametrize(("kind", "announced"), [(Kind.MODEL, 2**32 - 1), (Kind.MODEL, 2_000), (Kind.RUN, 20_000)])
def test_payload_that_is_announced_too_large_is_refused_before_a_byte_is_allocated(start_agent, kind, announced):
    """A frame can announce 4 GiB at most; 10 GB do not even have a number."""
    agent = limited(start_agent, model=1_000, message=10_000)
    with connect(agent) as connected:
        client = WireClient(TcpLink(connected), who="the device", timeout=20)
        client.hello()
        assert client.device.max_payload == 10_000
        connected.sendall(announce(kind, announced, request=2))
        with pytest.raises(TargetError, match=rf"{announced} B was announced"):
            client._answer(2)
        for worker in agent._host.workers:
            peak = re.search(r"VmPeak:\s*(\d+)", Path(f"/proc/{worker.pid}/status").read_text())
            assert peak is None or int(peak[1]) * 1024 < 2**32


def test_ten_gigabytes_cannot_be_announced_at_all():
    from edgerig.errors import WireError

    class Huge:
        nbytes = 10_000_000_000

        def __len__(self) -> int:
            return self.nbytes

    with pytest.raises(WireError, match="too long for one frame"):
        encode(Kind.MODEL, 1, b"", [Huge()], checked=False)


def pour(connected: socket.socket, most: int) -> int:
    """Send zeros until the peer has something to say; how many it took."""
    poll, sent, zeros = select.poll(), 0, bytes(4 * 1024**2)
    poll.register(connected, select.POLLIN | select.POLLOUT)
    while sent < most and not poll.poll(20_000)[0][1] & select.POLLIN:
        with contextlib.suppress(BlockingIOError):
            sent += connected.send(zeros, socket.MSG_DONTWAIT)
    return sent


@pytest.mark.slow
def test_session_that_needs_more_memory_than_granted_is_told_and_the_agent_lives(start_agent, faulty, x):
    agent = limited(start_agent, memory=1024**3, message=4_000_000_000)
    with connect(agent) as connected:
        client = WireClient(TcpLink(connected), who="the device", timeout=20)
        client.hello()
        client.download_statistics()
        (worker,) = agent._host.workers
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
        assert re.search(r"Max address space\s+1073741824\s+1073741824", limits)
        connected.sendall(announce(Kind.RUN, 3_900_000_000, request=2))
        # What is only announced costs nothing, so it has to come.
        assert pour(connected, 2 * 1024**3) < 1024**3
        with pytest.raises(InferenceError, match="out of memory of 1073741824 B"):
            client._answer(2)
    assert runs(agent, faulty, x)


def test_nothing_is_unpickled_on_the_device():
    """No module that can run on a device names pickle, marshal or shelve, or lets numpy unpickle."""
    source = Path(edgerig.__file__).parent
    looked_at = 0
    for package in ("agent", "wire", "runtimes", "targets", "measure"):
        for path in (source / package).rglob("*.py"):
            looked_at += 1
            text = path.read_text()
            assert not re.search(r"\b(import|from)\s+(pickle|marshal|shelve|dill|joblib)\b", text), path
            assert not re.search(r"allow_pickle\s*=\s*True|\beval\(|\bexec\(|yaml\.load\(", text), path
    assert looked_at > 30


def test_unknown_fields_of_an_owner_are_ignored(start_agent):
    agent = start_agent()
    hello = msgspec.msgpack.decode(pack(Hello(1, "edgerig 9", 1000, 1000, owner=Owner("x" * 32, "new"))))
    place = next(i for i, field in enumerate(hello) if isinstance(field, list) and "new" in field)
    hello[place].append("field of the future")
    hello.append("more")
    with connect(agent) as connected:
        connected.sendall(b"".join(encode(Kind.HELLO, 1, msgspec.msgpack.encode(hello))))
        assert FrameReader(TcpLink(connected)).read().kind == Kind.OK
