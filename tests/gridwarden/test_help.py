"""The command line teaches: every page whole at any width, in both languages; every refusal a sentence."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from gridwarden.help_page import wrapped

CHINESE = re.compile(r"[\u3400-\u9fff]")
PAGES = """
import json, os, sys
from typer.main import get_command
from gridwarden.main import app

group = get_command(app)
ours = ("help", "install_completion", "show_completion")
told = []
for width in map(int, sys.argv[1:]):
    os.environ["COLUMNS"] = str(width)
    listed = lambda param: [one for one in (*param.opts, *param.secondary_opts) if "-" in one]
    with group.make_context("gridwarden", [], resilient_parsing=True) as ctx:
        pages = [("", group, ctx)]
        for name, command in group.commands.items():
            pages.append((name, command, command.make_context(name, [], parent=ctx, resilient_parsing=True)))
        for name, command, its in pages:
            shown = [one for one in command.get_params(its) if not getattr(one, "hidden", False)]
            told.append({
                "name": name, "width": width, "page": command.get_help(its), "help": command.help,
                "names": [one for param in shown for one in listed(param)],
                "words": [param.help for param in shown if param.name not in ours],
            })
print(json.dumps(told))
"""


def run(language: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GRIDWARDEN_LANG": language, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment
    )


def close(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_cuts_a_word_at_any_width(language: str) -> None:
    done = run(language, "-c", PAGES, "80", "60", "40")
    assert done.returncode == 0, done.stderr
    pages: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(pages) >= 3 * 16
    for told in pages:
        page, where = told["page"], f"{told['name']} at {told['width']}"
        assert max(map(cell_len, page.split("\n"))) <= told["width"], where
        for text in [told["help"], *told["words"]]:
            assert close(text) in close(page), (where, text)
        for name in told["names"]:
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page), (where, name)


def test_a_chinese_page_is_chinese_throughout() -> None:
    pages = json.loads(run("zh", "-c", PAGES, "80").stdout)
    for told in pages:
        for text in [*told["help"].split("\n\n"), *told["words"]]:
            assert CHINESE.search(text), text
        assert "用法：gridwarden" in told["page"]
        assert "显示本页。" in told["page"]
        assert not re.search(r"Usage|Options|Arguments|Commands|default:|required", told["page"])


REFUSED = [
    (["up", "--prot", "3"], "There is no option --prot. Did you mean --bus-port, --port?"),
    (["--nope"], "There is no option --nope."),
    (["upp"], "There is no command upp. Did you mean up?"),
    (["zzz"], "There is no command zzz."),
    (["up", "--port", "many"], "--port: must be a whole number, not `many`"),
    (["up", "--port", "70000"], "--port: must be 65535 or less, not `70000`"),
    (["simulate", "x", "--speed", "0"], "--speed: must be 0.01 or more, not `0`"),
    (["up", "--port"], "--port needs a value."),
    (["up", "--simulators=3"], "--simulators takes no value."),
    (["up", "and", "more"], "Nothing is known to do with: and more"),
    (["record"], "FILE is missing."),
    (["gateway"], "--config is missing."),
    (["edge", "site"], "--id is missing."),
]
REFUSALS = """
import contextlib, io, json, sys
from gridwarden.main import main

told = []
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            told.append([end.code, said.getvalue()])
print(json.dumps(told))
"""


def test_what_is_wrong_is_said_in_ones_language() -> None:
    asked = json.dumps([words for words, _ in REFUSED])
    said = {language: json.loads(run(language, "-c", REFUSALS, asked).stdout) for language in ("en", "zh")}
    for (_, wanted), (code, english), (_, chinese) in zip(REFUSED, said["en"], said["zh"], strict=True):
        assert code == 2
        assert english.startswith(f"gridwarden: {wanted}\ngridwarden: Usage: gridwarden")
        for line in chinese.splitlines():
            assert re.match(r"gridwarden：.*[\u3400-\u9fff]", line), line


def test_without_a_word_it_shows_what_there_is() -> None:
    done = run("en", "-m", "gridwarden")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["record", "FILE", "--port", "FILE.line"],
        ["record", "FILE", "--broker", "mqtt://127.0.0.1:1", "--topic", "a"],
        ["replay", "FILE", "--broker", "mqtt://127.0.0.1:1"],
        ["replay", "FILE", "--broker", "mqtt://127.0.0.1:1", "--password-file", "FILE.secret"],
    ],
)
def test_a_wire_or_file_that_is_not_there_is_said_without_a_traceback(
    words: list[str], tmp_path: Path
) -> None:
    done = run("en", "-m", "gridwarden", *(word.replace("FILE", str(tmp_path / "x.gz")) for word in words))
    assert done.returncode == 2
    assert done.stderr.startswith("gridwarden: This cannot be done: ")
    assert done.stderr.count("\n") == 1


def test_chinese_breaks_anywhere_but_before_a_closing_sign() -> None:
    assert wrapped(10, "在本机运行，一切。") == ["在本机运", "行，一切。"]
    assert wrapped(8, "（甲）乙丙丁") == ["（甲）乙", "丙丁"]
    assert wrapped(12, "so http://127.0.0.1:8086/x") == ["so", "http://127.0", ".0.1:8086/x"]
    assert wrapped(20, "Port.", "[default: 8420]") == ["Port.", "[default: 8420]"]
