"""docs/troubles.md names scenarios and tests as its proof: they exist."""

import re
from pathlib import Path

from chaos.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


def test_every_proof_on_the_page_exists() -> None:
    rows = [
        row for row in (ROOT / "docs/troubles.md").read_text(encoding="utf-8").splitlines() if row[:2] == "| "
    ]
    proofs = [proof for row in rows[1:] for proof in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])]
    assert len(proofs) > 20
    assert [one for one in proofs if one not in SCENARIOS and not (ROOT / one).exists()] == []
