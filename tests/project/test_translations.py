"""The sentences of the code exist in Chinese, and what set-up makes of the catalogue speaks it."""

import gettext
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.messages.pofile import read_po

from language import Message, translator

ROOT = Path(__file__).resolve().parents[2]


def test_the_catalogue_compiles_to_something_that_speaks_chinese(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "language" / "locale", tmp_path, dirs_exist_ok=True)
    for compiled in tmp_path.rglob("*.mo"):
        compiled.unlink()
    subprocess.run([ROOT / "scripts" / "translations", "--compile", tmp_path], check=True)
    chinese = gettext.translation("gridwarden", tmp_path, ["zh_CN"])
    assert chinese.gettext("Give a reason.") == "请填写理由。"


def test_every_sentence_of_the_code_has_its_chinese() -> None:
    subprocess.run([ROOT / "scripts" / "translations", "--check"], check=True)


CHINESE = "\u3400-\u9fff"
HALF_WIDTH = re.compile(rf"[{CHINESE}}}）%][ ]?[,;:?!(]|[,;:?!)][ ]?[{CHINESE}{{]|\.\.\.")
QUOTED = re.compile(r'"([^"\n]*)"')


def texts(file: Path) -> Iterator[str]:
    """The Chinese sentences in a committed file, whatever its kind."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".po":
        with file.open("rb") as opened:
            found = [str(message.string) for message in read_po(opened, locale="zh_CN") if message.id]
    elif file.suffix in (".yaml", ".json"):
        found = [value for one in yaml.safe_load_all(text) for value in values(one)]
    elif file.suffix == ".md":
        found = re.sub(r"```.*?```|\]\([^)]*\)", "", text, flags=re.DOTALL).split("\n")
    else:
        found = QUOTED.findall(text)
    prose = (re.sub("`[^`]*`", "", sentence) for sentence in found)
    return (sentence for sentence in prose if re.search(rf"[{CHINESE}]", sentence))


def values(document: Any) -> Iterator[str]:
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from values(value)
    elif isinstance(document, str):
        yield document


def test_chinese_is_written_with_chinese_punctuation() -> None:
    """Everything that is committed: catalogues, device types, rules, scenarios, pages, texts in code."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kinds = (".po", ".yaml", ".json", ".md", ".py", ".ts", ".svelte")
    files = [
        ROOT / name for name in names.split("\n") if name.endswith(kinds) and not name.startswith("tests/")
    ]
    sentences = [(file.name, sentence) for file in files for sentence in texts(file)]
    assert len(sentences) > 1_500
    assert [one for one in sentences if HALF_WIDTH.search(one[1])] == []


@pytest.mark.parametrize(
    ("errors", "english"),
    [(0, "0 errors, 2 warnings"), (1, "1 error, 2 warnings"), (5, "5 errors, 2 warnings")],
)
def test_a_number_picks_its_word(errors: int, english: str) -> None:
    template = "{errors} {errors|error|errors}, {warnings} {warnings|warning|warnings}"
    message = Message(template, {"errors": errors, "warnings": 2})
    assert str(message) == english
    assert translator("zh-CN")(message) == f"{errors} 个错误，2 个警告"
