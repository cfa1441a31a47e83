"""The authority and the server's certificate, judged by OpenSSL as an edge would."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from links.authority import Authority, AuthorityUnusable, WrongAuthority, check_is, check_signed, fingerprint
from links.secret_files import SecretExposed
from links.trust import SERVER_NAME, explain, trust_authority, trust_exactly

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@contextmanager
def serving(certificate: Path, key: Path) -> Iterator[int]:
    """A TLS server that shakes hands and hangs up; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    context.wrap_socket(connection, server_side=True).close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def shake_hands(context: ssl.SSLContext, port: int, name: str = SERVER_NAME) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        context.wrap_socket(connection, server_hostname=name).close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "core")


def test_who_trusts_the_authority_believes_its_server(authority: Authority, tmp_path: Path) -> None:
    made = authority.server_certificate(
        tmp_path / "core", ["core.example.org", "10.0.0.5"], datetime.now(UTC)
    )
    context = trust_authority(tmp_path / "core" / "authority.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
    with serving(made.certificate, made.key) as port:
        for name in (SERVER_NAME, "core.example.org", "10.0.0.5"):
            shake_hands(context, port, name)
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            shake_hands(context, port, "other.example.org")
    assert "another server's" in str(explain(refused.value, NOW))


def test_another_authority_is_not_believed_and_the_reason_is_told(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.open(tmp_path / "other")
    made = other.server_certificate(tmp_path / "other", [], datetime.now(UTC))
    with (
        serving(made.certificate, made.key) as port,
        pytest.raises(ssl.SSLCertVerificationError) as refused,
    ):
        shake_hands(trust_authority(tmp_path / "core" / "authority.pem"), port)
    assert "not the core that this box knows" in str(explain(refused.value, NOW))
    with pytest.raises(WrongAuthority):
        check_signed(made.certificate.read_text(), authority.public)
    with pytest.raises(WrongAuthority):
        check_is(other.pem, authority.public)
    with pytest.raises(WrongAuthority):
        check_is("rubbish", authority.public)
    check_signed(made.certificate.read_text(), other.public)
    check_is(other.pem, other.public)


def test_one_certificate_can_be_trusted_before_its_authority_is_known(
    authority: Authority, tmp_path: Path
) -> None:
    made = authority.server_certificate(tmp_path / "core", [], datetime.now(UTC))
    context = trust_exactly(made.certificate.read_text())
    renewed = authority.server_certificate(tmp_path / "core2", [], datetime.now(UTC))
    with serving(made.certificate, made.key) as port:
        shake_hands(context, port)
    with serving(renewed.certificate, renewed.key) as port, pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, port)


def test_an_expired_certificate_is_refused_and_the_clock_is_named(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    authority = Authority.open(tmp_path)
    made = authority.server_certificate(tmp_path, [], long_ago)
    with (
        serving(made.certificate, made.key) as port,
        pytest.raises(ssl.SSLCertVerificationError) as refused,
    ):
        shake_hands(trust_authority(tmp_path / "authority.pem"), port)
    told = str(explain(refused.value, NOW))
    assert "expired" in told
    assert "clock is wrong: it says 2026-11-25 12:00" in told


def test_a_box_that_starts_in_1970_is_not_shut_out(authority: Authority, tmp_path: Path) -> None:
    made = authority.server_certificate(tmp_path, [], NOW)
    for pem in (authority.pem, made.certificate.read_text()):
        assert x509.load_pem_x509_certificate(pem.encode()).not_valid_before_utc == datetime(
            1970, 1, 1, tzinfo=UTC
        )


def test_a_core_that_first_starts_in_1970_recovers_when_it_knows_the_time(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path)
    assert authority.server_certificate(tmp_path, [], datetime(1970, 1, 1, tzinfo=UTC)).ends.year == 1971
    made = authority.server_certificate(tmp_path, [], datetime.now(UTC))
    with serving(made.certificate, made.key) as port:
        shake_hands(trust_authority(tmp_path / "authority.pem"), port)


def test_the_certificate_is_kept_while_it_is_good_and_renewed_before_it_ends(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path)
    first = authority.server_certificate(tmp_path, ["core"], NOW)
    content = first.certificate.read_bytes()

    def after(days: int, *names: str) -> bytes:
        again = Authority.open(tmp_path)
        made = again.server_certificate(tmp_path, names, NOW + timedelta(days=days))
        assert made.ends > NOW + timedelta(days=days + 100)
        return made.certificate.read_bytes()

    assert after(244, "core") == content
    renewed = after(246, "core")
    assert renewed != content
    assert after(246, "core") == renewed
    assert after(246, "core", "10.0.0.9") != renewed


@pytest.mark.parametrize("broken", ["server.key", "server.pem"])
def test_a_certificate_whose_files_do_not_match_is_made_anew(tmp_path: Path, broken: str) -> None:
    authority = Authority.open(tmp_path)
    made = authority.server_certificate(tmp_path, [], NOW)
    spare = Authority.open(tmp_path / "spare").server_certificate(tmp_path / "spare", [], NOW)
    (tmp_path / broken).write_bytes((tmp_path / "spare" / broken).read_bytes())
    again = authority.server_certificate(tmp_path, [], NOW)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(again.certificate, again.key)  # refuses a pair that does not match
    check_signed(made.certificate.read_text(), authority.public)
    assert spare.key.read_bytes() != again.key.read_bytes()


def test_the_authority_stays_the_same_and_says_what_is_wrong_with_its_files(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path)
    assert Authority.open(tmp_path).public == authority.public
    assert authority.fingerprint == fingerprint(authority.public)
    (tmp_path / "authority.key").chmod(0o644)
    with pytest.raises(SecretExposed):
        Authority.open(tmp_path)
    (tmp_path / "authority.key").chmod(0o600)
    Authority.open(tmp_path / "other")
    (tmp_path / "authority.pem").write_bytes((tmp_path / "other" / "authority.pem").read_bytes())
    with pytest.raises(AuthorityUnusable, match="does not belong"):
        Authority.open(tmp_path)
    (tmp_path / "authority.pem").write_text("rubbish")
    with pytest.raises(AuthorityUnusable, match="damaged"):
        Authority.open(tmp_path)
