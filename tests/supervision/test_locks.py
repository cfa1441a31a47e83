"""One writer per folder, and nothing that outlives its parent: with real processes."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from supervision.locks import InUse, Lock
from tests.conftest import wait_until

HOLD = "import sys, time; from pathlib import Path; from supervision.locks import Lock; \
lock = Lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def hold(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_told_who_is_in_the_way(tmp_path: Path) -> None:
    first = hold(tmp_path / "deep" / "gateway.lock")
    with pytest.raises(InUse, match=f"held by process {first.pid}") as refused:
        Lock(tmp_path / "deep" / "gateway.lock")
    assert refused.value.process == first.pid
    first.kill()
    first.communicate()
    Lock(tmp_path / "deep" / "gateway.lock").release()


def test_a_child_that_shares_the_lock_keeps_it_and_is_named_when_the_parent_is_gone(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, subprocess, time
        from pathlib import Path
        from supervision.locks import Lock
        lock = Lock(Path({str(tmp_path / "server.lock")!r}))
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.file,), stdout=subprocess.DEVNULL)
        lock.share(child.pid)
        print(child.pid, flush=True)
        time.sleep(60)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    with pytest.raises(InUse) as refused:
        Lock(tmp_path / "server.lock")
    assert refused.value.process == parent.pid
    parent.kill()
    parent.communicate()
    with pytest.raises(InUse) as refused:
        Lock(tmp_path / "server.lock")
    assert refused.value.process == child
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(child) or _is_zombie(child), "the child is gone")
    Lock(tmp_path / "server.lock").release()


def test_released_and_taken_again(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "a.lock")
    with pytest.raises(InUse):
        Lock(tmp_path / "a.lock")
    lock.release()
    lock.release()
    Lock(tmp_path / "a.lock").release()


def test_grandchildren_end_too(tmp_path: Path) -> None:
    """Each generation asks for its end when its own parent dies."""
    program = textwrap.dedent(
        """
        import os, subprocess, sys, time
        from supervision.parent import die_with
        depth = int(sys.argv[1])
        if depth:
            subprocess.Popen([sys.executable, __file__, str(depth - 1)], preexec_fn=die_with(os.getpid()))
        print(os.getpid(), flush=True)
        time.sleep(60)
        """
    )
    script = tmp_path / "generation.py"
    script.write_text(program)
    with (tmp_path / "pids").open("wb") as out:
        first = subprocess.Popen([sys.executable, str(script), "2"], stdout=out)
    wait_until(lambda: len((tmp_path / "pids").read_text().split()) == 3, "three generations run")
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    first.kill()
    first.wait()
    wait_until(lambda: not any(_alive(pid) for pid in pids), "all generations have ended")


def _is_zombie(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _alive(pid: int) -> bool:
    try:
        return not _is_zombie(pid)
    except psutil.NoSuchProcess:
        return False
