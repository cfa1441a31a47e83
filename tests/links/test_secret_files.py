"""Files of secrets: made for one user, and refused when others can read them."""

import stat
from pathlib import Path

import pytest

from links.secret_files import SecretExposed, check_private, read_secret, write_secret


def test_a_written_secret_is_for_this_user_only_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secret"
    write_secret(file, "hunter2\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read_secret(file) == "hunter2"


def test_writing_again_leaves_no_other_file_behind(tmp_path: Path) -> None:
    write_secret(tmp_path / "s", "one")
    write_secret(tmp_path / "s", "two")
    assert [file.name for file in tmp_path.iterdir()] == ["s"]
    assert read_secret(tmp_path / "s") == "two"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_secret_that_others_can_reach_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    file.chmod(mode)
    with pytest.raises(SecretExposed, match=f"chmod 600 {file}") as refused:
        read_secret(file)
    assert "hunter2" not in str(refused.value)


def test_the_environment_wins_and_nothing_is_an_empty_secret(tmp_path: Path) -> None:
    assert read_secret(tmp_path / "not there", "from outside") == "from outside"
    assert read_secret(None) == ""


def test_what_systemd_hands_over_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    check_private(file)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "elsewhere"))
    with pytest.raises(SecretExposed):
        check_private(file)
