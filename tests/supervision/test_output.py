"""Logs: a full disk ends nobody, and no log grows without bound."""

import os
import subprocess
import sys
from pathlib import Path

from chaos.small_disk import MEGABYTE, small_disk
from supervision.output import PatientOutput, bound

TALKER = """
import logging, os, sys
import structlog
from supervision.output import never_stop_for_the_log
never_stop_for_the_log()
logging.basicConfig(level=logging.WARNING)
log = structlog.get_logger()
for line in sys.stdin:
    log.warning("said", line=line.strip())
    print(line.strip())
    logging.warning(line.strip())
    print(line.strip(), file=sys.stderr)
    os.write(int(sys.argv[1]), b".")
"""


def test_a_process_whose_log_is_on_a_full_disk_goes_on_and_says_what_is_missing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MEGABYTE) as disk:
        log = disk.folder / "talker.log"
        heard, done = os.pipe()
        with log.open("ab") as sink:
            talker = subprocess.Popen(
                [sys.executable, "-c", TALKER, str(done)],
                stdin=subprocess.PIPE, stdout=sink, stderr=sink, text=True, pass_fds=[done],
            )  # fmt: skip
        os.close(done)

        def say(text: str) -> None:
            assert talker.stdin is not None
            talker.stdin.write(f"{text}\n")
            talker.stdin.flush()
            assert os.read(heard, 1) == b"."  # it has come to the end of the line's turn

        say("before")
        assert log.read_text().count("before") == 4
        disk.fill()
        for _ in range(10):
            say("x" * 1000)
        assert disk.free == 0
        disk.clear()
        say("after")
        assert log.read_text().count("after") == 4
        talker.communicate(timeout=20)
        assert talker.returncode == 0
        os.close(heard)
        assert "characters of this log could not be written)" in log.read_text()


def test_a_log_is_bounded_while_somebody_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "edge.log"
    with log.open("ab", buffering=0) as writer:
        largest = 0
        for number in range(10_000):
            writer.write(f"line {number}\n".encode())
            if number % 100 == 0:
                bound(log, 10_000)
            largest = max(largest, log.stat().st_size)
    assert largest < 12_000
    kept = (tmp_path / "edge.log.1").read_text() + log.read_text()
    assert (tmp_path / "edge.log.1").stat().st_size <= 10_000
    assert kept.endswith("line 9999\n")
    assert kept.count("\n") > 500
    assert not log.read_text().startswith("\0")


def test_a_log_is_bounded_without_room_for_the_copy(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MEGABYTE) as disk:
        log = disk.folder / "edge.log"
        log.write_bytes(b"x" * 100_000)
        disk.fill()
        assert bound(log, 50_000)
        assert log.stat().st_size == 0
        assert not (disk.folder / "edge.log.1").exists()
    assert not bound(tmp_path / "none.log")


def test_characters_that_cannot_be_encoded_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with file.open("ab") as sink:
        print("火 \ud800", file=PatientOutput(sink.fileno()))
    assert file.read_text() == "火 \\ud800\n"
