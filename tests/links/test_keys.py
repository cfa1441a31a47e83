"""NKeys: spelled as NATS spells them, and a slip of the hand is noticed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from links.keys import InvalidKey, Key, public_key, read_key
from links.secret_files import SecretExposed, write_secret

# The pair that NATS' own documentation of NKeys prints.
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


def test_a_documented_seed_has_its_documented_public_key() -> None:
    assert Key.from_seed(f" {SEED}\n") == Key(SEED, PUBLIC)


def test_no_two_new_keys_are_the_same_and_none_shows_its_seed() -> None:
    one, other = Key.new(), Key.new()
    assert one != other
    assert one.seed not in repr(one)


@given(st.integers(0, len(SEED) - 1), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_wrong_character_in_a_seed_is_noticed(place: int, character: str) -> None:
    spoilt = SEED[:place] + character + SEED[place + 1 :]
    if spoilt != SEED:
        with pytest.raises(InvalidKey):
            Key.from_seed(spoilt)


@given(st.integers(0, len(PUBLIC) - 1), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_wrong_character_in_a_public_key_is_noticed(place: int, character: str) -> None:
    spoilt = PUBLIC[:place] + character + PUBLIC[place + 1 :]
    if spoilt != PUBLIC:
        with pytest.raises(InvalidKey):
            public_key(spoilt)


@given(st.text())
def test_rubbish_is_no_key(text: str) -> None:
    with pytest.raises(InvalidKey):
        public_key(text)
    with pytest.raises(InvalidKey):
        Key.from_seed(text)


def test_a_key_file_must_be_private_and_hold_a_key(tmp_path: Path) -> None:
    write_secret(tmp_path / "key", SEED)
    assert read_key(tmp_path / "key").public == PUBLIC
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(SecretExposed):
        read_key(tmp_path / "key")
    write_secret(tmp_path / "key", "rubbish")
    with pytest.raises(InvalidKey, match="holds no key"):
        read_key(tmp_path / "key")
