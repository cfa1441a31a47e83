"""A core's configuration that somebody broke: each command says where, and none fails with a traceback."""

from pathlib import Path

import pytest

from gridwarden.commands import audit, doctor
from gridwarden.commands.enrol import Core

BROKEN = [b"[", b"word", b"bus: 5", b"\xff", b"- 1", b"site: x\ndata: y\nweb: {port: many}", b"a: &a [*a]"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_configuration_is_said_to_be_broken(
    text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("run", "gateway", "edges"):
        (tmp_path / folder).mkdir()
    (tmp_path / "run" / "gateway.yaml").write_bytes(text)
    found = [*doctor._gateway(tmp_path)]
    assert found
    assert all(finding.verdict == "bad" and "gateway.yaml" in finding.what for finding in found)
    with pytest.raises(SystemExit):
        audit.run(tmp_path, None, watch=False, as_json=False, rows=10)
    with pytest.raises(SystemExit):
        Core.at(tmp_path, None)
    assert capsys.readouterr().err.count("gateway.yaml:") >= 2


def test_before_the_first_run_there_is_none(tmp_path: Path) -> None:
    assert not [*doctor._gateway(tmp_path)]
    assert Core.at(tmp_path, None).site is None
