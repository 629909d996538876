"""Files from a real web server that breaks, lies, throttles and changes: they arrive whole, or not at all."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import InputError
from curation.recipe import RemoteSettings
from curation.sources.transfer import Receipt, discard, download, read_receipt
from curation.sources.web import BLOCK_BYTES, Client, Identity, NotThere, Patience, Stopped, TransferError
from tests.curation.archive_server import ArchiveServer, Mood, archive_server

NAME = "crawl-data/x.warc.gz"
CONTENT = random.Random(1).randbytes(3 * BLOCK_BYTES + 12345)


def quick(**values: object) -> Client:
    """A client that waits hardly at all."""
    return Client(RemoteSettings.model_validate({"retry_seconds": 0.01, "max_retry_seconds": 0.02, "timeout_seconds": 1.0, **values}))


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with archive_server() as running:
        running.files[NAME] = CONTENT
        yield running


def fetch(server: ArchiveServer, target: Path, client: Client | None = None) -> Receipt:
    """Download, and check that what is there is what was served."""
    receipt = download(client or quick(), server.url + NAME, target)
    content = server.files[NAME]
    assert target.read_bytes() == content
    assert receipt == Receipt(server.url + NAME, len(content), hashlib.sha256(content).hexdigest(), receipt.validator)
    assert read_receipt(target) == receipt
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name, f"{target.name}.json"]
    return receipt


def test_one_request_and_none_for_a_file_that_is_here(server: ArchiveServer, tmp_path: Path) -> None:
    first = fetch(server, tmp_path / "a" / "file")
    assert first.validator == server.etag(NAME)
    assert fetch(server, tmp_path / "a" / "file") == first
    assert [(request.range, request.user_agent) for request in server.requests] == [(None, "crawl2gpt")]


@pytest.mark.parametrize("seed", range(5))
def test_broken_transfers_go_on_where_they_broke(server: ArchiveServer, tmp_path: Path, seed: int) -> None:
    breaks = [random.Random(seed).randrange(len(CONTENT) // 4) for _ in range(4)]
    server.moods[NAME] = [Mood(break_after=count) for count in breaks]
    fetch(server, tmp_path / "file")
    assert server.body_bytes[NAME] == len(CONTENT)  # no byte twice
    offsets = [sum(breaks[:number]) for number in range(5)]
    assert [request.range for request in server.gets(NAME)] == [f"bytes={offset}-" if offset else None for offset in offsets]


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(break_after=2 * BLOCK_BYTES), Mood(ranges=False)]
    fetch(server, tmp_path / "file")
    assert server.body_bytes[NAME] == 2 * BLOCK_BYTES + len(CONTENT)


def test_without_a_validator_nothing_is_pieced_together(server: ArchiveServer, tmp_path: Path) -> None:
    server.validators = False
    server.moods[NAME] = [Mood(break_after=2 * BLOCK_BYTES)]
    fetch(server, tmp_path / "file")
    assert [request.range for request in server.gets(NAME)] == [None, None]


def test_a_file_that_changes_under_the_transfer_is_fetched_anew(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(break_after=2 * BLOCK_BYTES)]
    new = random.Random(2).randbytes(len(CONTENT))

    def change(path: str) -> None:
        if len(server.gets(path)) == 2:
            server.files[NAME] = new

    server.before = change
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == new


def test_a_file_that_has_become_shorter_than_what_is_here(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(break_after=2 * BLOCK_BYTES), Mood(status=416)]
    fetch(server, tmp_path / "file")
    assert [request.range for request in server.gets(NAME)] == [None, f"bytes={2 * BLOCK_BYTES}-", None]


def test_a_range_that_was_not_asked_for_is_refused(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(break_after=2 * BLOCK_BYTES), Mood(shift=10)]
    fetch(server, tmp_path / "file")


def test_a_body_shorter_than_it_says_is_no_file(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(break_after=1000)
    with pytest.raises(InputError, match=r"x\.warc\.gz: the transfer broke .* \(4 times in a row\); run again later"):
        download(quick(retries=3), server.url + NAME, tmp_path / "file")
    assert (tmp_path / "file.part").stat().st_size == 4000  # stays for the next try
    server.always.clear()
    fetch(server, tmp_path / "file")
    assert server.gets(NAME)[-1].range == "bytes=4000-"


def test_a_wrong_length_is_believed_for_nobody_can_tell(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(claim=5000)
    assert download(quick(), server.url + NAME, tmp_path / "file").bytes == 5000


def test_a_body_without_a_length_ends_with_the_connection(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(omit_length=True)
    fetch(server, tmp_path / "file")


@pytest.mark.parametrize("status", [403, 408, 425, 429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again(server: ArchiveServer, tmp_path: Path, status: int) -> None:
    server.moods[NAME] = [Mood(status=status)] * 3
    fetch(server, tmp_path / "file")
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [401, 404, 410, 451])
def test_others_are_told_at_once(server: ArchiveServer, tmp_path: Path, status: int) -> None:
    server.always[NAME] = Mood(status=status)
    with pytest.raises(InputError, match=f"the server answered {status}") as raised:
        download(quick(), server.url + NAME, tmp_path / "file")
    assert len(server.requests) == 1
    assert isinstance(raised.value, NotThere) == (status in (404, 410))


def test_a_server_that_never_recovers_is_given_up(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(status=503, headers={"Retry-After": "0"})
    with pytest.raises(InputError, match=r"the server answered 503 .*\(6 times in a row\)"):
        download(quick(retries=5), server.url + NAME, tmp_path / "file")
    assert len(server.requests) == 6


def test_no_server_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:1/x: no connection \(.*refused.*\) \(2 times in a row\)"):
        download(quick(retries=1), "http://127.0.0.1:1/x", tmp_path / "file")


def test_retry_after_is_obeyed_up_to_a_limit(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(status=503, headers={"Retry-After": "1"}), Mood(status=503, headers={"Retry-After": "999"})]
    fetch(server, tmp_path / "file", quick(max_retry_seconds=0.1))  # so at most one second
    first, second, third = (request.time for request in server.requests)
    assert 0.95 <= second - first < 5
    assert 0.95 <= third - second < 5


@pytest.mark.parametrize("value", ["Fri, 31 Dec 99999 23:59:59 GMT", "-5", "soon", "Fri, 99 Dec 2024 99:99:99 GMT"])
def test_a_retry_after_that_says_nothing_is_passed_over(server: ArchiveServer, tmp_path: Path, value: str) -> None:
    server.moods[NAME] = [Mood(status=503, headers={"Retry-After": value})]
    fetch(server, tmp_path / "file", quick())
    assert len(server.requests) == 2


def test_a_crowded_server_is_left_alone_by_all_threads(server: ArchiveServer, tmp_path: Path) -> None:
    server.files["other"] = b"x"
    server.moods[NAME] = [Mood(status=429, headers={"Retry-After": "1"})]
    client = quick(max_retry_seconds=10.0)
    thread = threading.Thread(target=download, args=(client, server.url + NAME, tmp_path / "file"))
    thread.start()
    while not server.requests:
        time.sleep(0.01)
    time.sleep(0.2)  # the answer is with the client
    download(client, server.url + "other", tmp_path / "other")
    thread.join()
    assert server.gets("other")[0].time - server.requests[0].time >= 0.95


def test_silence_and_a_trickle_end_a_connection(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(stall_after=BLOCK_BYTES), Mood(pause=0.3, block=10)]
    fetch(server, tmp_path / "file", quick(timeout_seconds=0.5))
    assert [request.range is None for request in server.gets(NAME)] == [True, False, False]


def test_pauses_double_up_to_the_limit_and_are_drawn_alike_every_time() -> None:
    settings = RemoteSettings(retries=6, retry_seconds=1.0, max_retry_seconds=8.0)
    runs = []
    for _ in range(2):
        patience = Patience("https://example.org/x", settings)
        runs.append([patience.pause_after(TransferError("it broke")) for _ in range(6)])
    assert runs[0] == runs[1]
    for pause, ceiling in zip(runs[0], [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 < pause <= ceiling
    with pytest.raises(InputError, match="7 times in a row"):
        patience.pause_after(TransferError("it broke"))


def test_progress_makes_patient_but_a_repetition_is_none() -> None:
    settings = RemoteSettings(retries=2)
    patience = Patience("x", settings)
    for blocks in range(1, 20):
        patience.pause_after(TransferError("it broke"), blocks * BLOCK_BYTES)
    patience = Patience("x", settings)
    patience.pause_after(TransferError("it broke"), 5 * BLOCK_BYTES)
    patience.pause_after(TransferError("it broke"), 5 * BLOCK_BYTES)
    with pytest.raises(InputError):
        patience.pause_after(TransferError("it broke"), 5 * BLOCK_BYTES)


def test_an_endless_loop_of_redirects_is_told_at_once(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(status=302, headers={"Location": f"/{NAME}"})
    with pytest.raises(InputError, match="redirects"):
        download(quick(), server.url + NAME, tmp_path / "file")


def test_redirects_are_followed(server: ArchiveServer, tmp_path: Path) -> None:
    server.files["moved"] = b""
    server.always["moved"] = Mood(status=302, headers={"Location": f"/{NAME}"})
    assert download(quick(), server.url + "moved", tmp_path / "file").sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_proxies_of_the_environment_are_not_used(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    fetch(server, tmp_path / "file")


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    with tls_server(tmp_path) as url, pytest.raises(InputError, match="certificate") as raised:
        quick().read_all(url)
    assert "times in a row" not in str(raised.value)


def tls_server(folder: Path):  # type: ignore[no-untyped-def]
    """A server with a certificate of its own making."""
    import contextlib
    import datetime
    import ipaddress
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))

    @contextlib.contextmanager
    def running() -> Iterator[str]:
        server = ArchiveServer()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
        server.start()
        yield server.url.replace("http://", "https://")
        server.stop()

    return running()


def test_two_that_want_the_same_file_share_one_transfer(server: ArchiveServer, tmp_path: Path) -> None:
    server.always[NAME] = Mood(pause=0.005)
    receipts: list[Receipt] = []
    threads = [threading.Thread(target=lambda: receipts.append(download(quick(), server.url + NAME, tmp_path / "file"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(receipts), len(set(receipts)), len(server.requests)) == (4, 1, 1)


def test_a_stopped_client_leaves_what_has_arrived(server: ArchiveServer, tmp_path: Path) -> None:
    server.moods[NAME] = [Mood(stall_after=BLOCK_BYTES)]
    client = quick(timeout_seconds=60.0)

    def stop() -> None:
        while server.body_bytes[NAME] < BLOCK_BYTES:
            time.sleep(0.01)
        time.sleep(0.2)
        client.close()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Stopped):
        download(client, server.url + NAME, tmp_path / "file")
    thread.join()
    assert (tmp_path / "file.part").stat().st_size == BLOCK_BYTES
    fetch(server, tmp_path / "file")
    assert server.body_bytes[NAME] == len(CONTENT)


@pytest.mark.parametrize("side", [b"", b"[]", b"\xff", b'{"url": "http://elsewhere/x", "bytes": 9, "validator": null}'])
def test_a_part_that_nobody_knows_is_fetched_anew(server: ArchiveServer, tmp_path: Path, side: bytes) -> None:
    (tmp_path / "file.part").write_bytes(b"something else")
    (tmp_path / "file.part.json").write_bytes(side)
    fetch(server, tmp_path / "file")


def test_a_complete_part_is_not_asked_for_again(server: ArchiveServer, tmp_path: Path) -> None:
    fetch(server, tmp_path / "file")  # as if killed before the file got its name
    receipt = (tmp_path / "file.json").read_bytes()
    (tmp_path / "file").rename(tmp_path / "file.part")
    (tmp_path / "file.part.json").write_bytes(receipt)
    fetch(server, tmp_path / "file")
    assert len(server.requests) == 1


def test_a_file_of_another_size_than_its_receipt_is_no_file(server: ArchiveServer, tmp_path: Path) -> None:
    fetch(server, tmp_path / "file")
    with (tmp_path / "file").open("ab") as stream:
        stream.write(b"x")
    assert read_receipt(tmp_path / "file") is None
    fetch(server, tmp_path / "file")


def test_an_empty_file(server: ArchiveServer, tmp_path: Path) -> None:
    server.files[NAME] = b""
    fetch(server, tmp_path / "file")


def test_discard_deletes_all_there_is(server: ArchiveServer, tmp_path: Path) -> None:
    fetch(server, tmp_path / "file")
    discard(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_identity_and_small_files(server: ArchiveServer) -> None:
    client = quick()
    assert client.identify(server.url + NAME) == Identity(len(CONTENT), server.etag(NAME))
    server.moods[NAME] = [Mood(status=503), Mood(break_after=10)]
    assert client.read_all(server.url + NAME) == CONTENT
