"""Tokens: one line, whole or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from links.addresses import Address
from links.invitation import InvalidToken, Invitation

INVITATION = Invitation(
    "east-1", (Address("10.0.0.5", 4222), Address("core.example.org", 4333)), bytes(range(32))
)


def test_a_token_reads_back_also_when_a_messenger_has_broken_its_line() -> None:
    token = INVITATION.token
    assert Invitation.read(token) == INVITATION
    assert Invitation.read(f"  {token[:40]}\n {token[40:]}\r\n") == INVITATION
    assert len(token) < 160


def test_its_secret_makes_a_key_and_is_not_shown() -> None:
    assert Invitation.read(INVITATION.token).key == INVITATION.key
    assert INVITATION.key.public not in INVITATION.token
    other = Invitation("east-1", INVITATION.addresses, INVITATION.authority)
    assert other.key != INVITATION.key
    assert repr(INVITATION.secret) not in repr(INVITATION)


@given(st.integers(4, len(INVITATION.token) - 1), st.sampled_from("Aa0-_"))
def test_a_token_with_one_wrong_character_is_refused(place: int, character: str) -> None:
    token = INVITATION.token
    spoilt = token[:place] + character + token[place + 1 :]
    if spoilt != token:
        try:
            found = Invitation.read(spoilt)
        except InvalidToken:
            return
        assert found == INVITATION  # the last character holds bits that mean nothing


@given(st.integers(0, len(INVITATION.token) - 1))
def test_half_a_token_is_refused(length: int) -> None:
    with pytest.raises(InvalidToken):
        Invitation.read(INVITATION.token[:length])


@given(st.text())
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        Invitation.read(text)
    with pytest.raises(InvalidToken):
        Invitation.read(f"gw1.{text}")
