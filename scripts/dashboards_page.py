"""Writes the reference part of docs/dashboards.md from the dashboards themselves: a picture of each (which
scripts/dashboard_pictures.py draws), every question of every panel and of the alert rules.

``--check`` only says whether the page is up to date.
"""

import sys
from pathlib import Path

from dashboards.boards import BOARDS
from dashboards.context import Context
from dashboards.documents import document
from dashboards.expansion import variables
from dashboards.watching import queries as watched

PAGE = Path("docs/dashboards.md")
MARK = "<!-- from here on written by scripts/dashboards_page.py -->"


def reference() -> str:
    """Every board with its variables, panels and queries."""
    parts: list[str] = []
    for name in BOARDS:
        page = document(name, Context("en"))
        title = page["title"].removeprefix("GridWarden · ")
        parts.append(f"\n## {title} (`{page['uid'].removesuffix('-en')}-…`)\n")
        parts.append(f"![{title}, with a simulated day](pictures/dashboards/{name}.png)\n")
        chosen = [one.get("label") or f"`{variable}` (hidden)" for variable, one in variables(page)]
        if chosen:
            parts.append(f"Variables: {', '.join(chosen)}.\n")
        for variable, one in variables(page):
            parts.append(f"- `${variable}`: `{one['query']}`")
        for panel in page["panels"]:
            parts.append(
                f"\n**{panel['title']}** ({panel['type']}). {panel.get('description', '')}".rstrip() + "\n"
            )
            parts += [f"- `{target['query']}`" for target in panel["targets"]]
        for mark in page["annotations"].get("list", ()):
            parts.append(f"\n**{mark['name']}** (marks)\n\n- `{mark['target']['query']}`")
    parts.append("\n## Alert rules (`gridwarden-watch`)\n")
    parts += [f"- **{name}**: `{query}`" for name, query in watched(Context("en"))]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the page, or with ``--check`` compare it."""
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    whole = f"{head}{MARK}\n{reference()}"
    if "--check" in sys.argv:
        if not mark or PAGE.read_text(encoding="utf-8") != whole:
            raise SystemExit(f"{PAGE} is not up to date: run .venv/bin/python scripts/dashboards_page.py")
        return
    PAGE.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
