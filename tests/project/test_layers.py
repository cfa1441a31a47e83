"""The project's shape: what import-linter cannot see."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "readings", "registry", "rules", "cases", "ingest", "edge", "dashboards", "gateway", "simulators",
    "language",
    "supervision", "links",
    "gridwarden", "bench", "chaos",
)  # fmt: skip
PURE = ("readings", "language", "rules", "registry", "cases/lifecycle.py", "cases/sla.py", "cases/desk.py")
CLOCKS = {
    ("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("datetime", "now"), ("datetime", "utcnow"),
    ("datetime", "today"), ("date", "today"),
}  # fmt: skip


def modules(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        path = ROOT / room
        yield from [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("room", PURE)
def test_the_core_is_given_the_time_and_never_reads_a_clock(room: str) -> None:
    for module in modules(room):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                assert (owner, node.func.attr) not in CLOCKS, f"{module}:{node.lineno}"


def test_no_dependency_installs_a_package_with_one_of_our_names() -> None:
    for distribution in distributions():
        if distribution.name == "gridwarden":
            continue
        for file in distribution.files or ():
            assert not (file.parts[0] in ROOMS and file.suffix == ".py"), (
                f"{distribution.name} installs {file}"
            )


def test_a_typical_module_fits_a_few_screens() -> None:
    lengths = [len(module.read_text(encoding="utf-8").splitlines()) for module in modules(*ROOMS)]
    written = [length for length in lengths if length > 1]
    assert statistics.median(written) < 250
    assert max(written) <= 600


def test_every_room_says_what_it_is_for() -> None:
    for room in ROOMS:
        doc = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")))
        assert doc, f"{room} has no docstring"
        assert len(doc) > 40, f"{room}: {doc}"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "README.zh-CN.md",
        "CONTRIBUTING.md",
        "docs/tour.md",
        "docs/links.md",
        "docs/decisions/README.md",
    ],
)
def test_a_page_leads_only_to_files_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        assert ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("script", ["reference.py", "dashboards_page.py"])
def test_references_are_what_the_models_and_dashboards_say(script: str) -> None:
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_sentence_has_its_chinese() -> None:
    done = subprocess.run(
        ["scripts/translations", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_committed_names_a_package_index() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for name in files:
        if name.endswith((".lock", "package-lock.json", ".toml", ".npmrc", ".sh")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"registry\.npmjs|pypi\.org|files\.pythonhosted|\"resolved\"", text), name
