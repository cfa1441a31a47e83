"""The sentences of the code exist in Chinese, and what set-up makes of the catalogue speaks it."""

import gettext
import re
import shutil
import subprocess
from pathlib import Path

import pytest
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


HALF_WIDTH = re.compile(r"[\u3400-\u9fff}）][ ]?[,;:?!(]|[,;:?!)][ ]?[\u3400-\u9fff]|\.\.\.")


def test_chinese_is_written_with_chinese_punctuation() -> None:
    catalogue = ROOT / "language" / "locale" / "zh_CN" / "LC_MESSAGES" / "gridwarden.po"
    with catalogue.open("rb") as file:
        sentences = [str(message.string) for message in read_po(file, locale="zh_CN") if message.id]
    assert [sentence for sentence in sentences if HALF_WIDTH.search(sentence)] == []


@pytest.mark.parametrize(
    ("errors", "english"),
    [(0, "0 errors, 2 warnings"), (1, "1 error, 2 warnings"), (5, "5 errors, 2 warnings")],
)
def test_a_number_picks_its_word(errors: int, english: str) -> None:
    template = "{errors} {errors|error|errors}, {warnings} {warnings|warning|warnings}"
    message = Message(template, {"errors": errors, "warnings": 2})
    assert str(message) == english
    assert translator("zh-CN")(message) == f"{errors} 个错误，2 个警告"
