"""The sentences of the code exist in Chinese, and what set-up makes of the catalogue speaks it."""

import gettext
import shutil
import subprocess
from pathlib import Path

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
