"""Addresses, and which links may be open."""

import pytest

from links.addresses import Address, InvalidAddress, objection_to


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("core.example.org", Address("core.example.org", 4222), "core.example.org:4222"),
        (" 10.0.0.5:4333 ", Address("10.0.0.5", 4333), "10.0.0.5:4333"),
        ("[fd00::5]:4222", Address("fd00::5", 4222), "[fd00::5]:4222"),
    ],
)
def test_an_address_is_read_and_shown(text: str, address: Address, shown: str) -> None:
    assert Address.parse(text) == address
    assert str(address) == shown
    assert Address.parse(shown) == address


@pytest.mark.parametrize(
    "text", ["", ":4222", "a b", "core:port", "core:99999", "https://core", "u@core", "-x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Address.parse(text)


def test_loopback_and_everywhere_are_known() -> None:
    assert Address("127.0.0.3", 1).is_loopback
    assert Address("::1", 1).is_loopback
    assert Address("localhost", 1).is_loopback
    assert not Address("core", 1).is_loopback
    assert Address("0.0.0.0", 1).is_everywhere
    assert Address("::", 1).is_everywhere
    assert not Address("10.0.0.1", 1).is_everywhere


@pytest.mark.parametrize(
    ("url", "authenticated", "objection"),
    [
        ("nats://127.0.0.1:4222", False, None),
        ("nats://localhost:4222,nats://[::1]:4222", False, None),
        ("tls://core:4222", True, None),
        ("tls://user:word@core:4222", False, None),
        ("nats://core:4222", True, "nats://core:4222 would carry everything in clear text: use tls://"),
        ("nats://127.0.0.1:1,nats://10.0.0.5:2", True, "nats://10.0.0.5:2 would carry"),
        ("nats://user:word@core:4222", True, "nats://core:4222 would carry"),
        ("tls://core:4222", False, "tls://core:4222 leaves this machine: it needs credentials"),
        ("core:4222", True, "no address of a message bus"),
        ("ws://core:80", True, "no address of a message bus"),
    ],
)
def test_what_leaves_the_machine_is_encrypted_and_authenticated(
    url: str, authenticated: bool, objection: str | None
) -> None:
    found = objection_to(url, authenticated=authenticated)
    assert found is None if objection is None else objection in str(found)
    assert "word" not in str(found)
