"""Says which sentences of the code have no Chinese yet, or whose Chinese lost a field."""

import string
import sys
from pathlib import Path

from babel.messages.pofile import read_po


def fields(text: str) -> set[str]:
    """The names of the fields in `text`, those that only pick a word by number included."""
    return {name.partition("|")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def main(template: str) -> int:
    """Compare the sentences in `template` with the catalogue; the exit code is 1 when any is missing."""
    with Path(template).open("rb") as file:
        wanted = [message.id for message in read_po(file) if message.id]
    catalogue = Path("language/locale/zh_CN/LC_MESSAGES/gridwarden.po")
    with catalogue.open("rb") as file:
        known = {message.id: message.string for message in read_po(file, locale="zh_CN") if message.id}
    faults = []
    for sentence in wanted:
        chinese = known.get(sentence, "")
        if not chinese:
            faults.append(f"not translated: {sentence!r}")
        elif fields(str(sentence)) != fields(str(chinese)):
            faults.append(f"other fields than the English: {sentence!r} → {chinese!r}")
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
