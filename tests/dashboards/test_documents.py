"""Dashboards as documents: the SDK reads them back, uids stay, both languages say the same thing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting

from dashboards.annotations import read
from dashboards.boards import BOARDS
from dashboards.context import Context, Limit
from dashboards.documents import Influx
from dashboards.expansion import queries, variables
from dashboards.render import render
from dashboards.watching import Hook, rule_group
from tests.dashboards.day_in_influx import document

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LANGUAGES = ("zh-CN", "en")


def texts(page: dict[str, Any]) -> list[str]:
    """What people read on a dashboard."""
    found = [page["title"], *(link["title"] for link in page["links"])]
    for panel in page["panels"]:
        found += [panel["title"], panel.get("description", "")]
        found += [target.get("alias", "") for target in panel.get("targets", ())]
        for step in panel.get("transformations", ()):
            found += step["options"].get("renameByName", {}).values()
    found += [variable.get("label", "") for _, variable in variables(page)]
    return [text for text in found if text and not text.startswith("$")]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sdk_reads_back_what_it_wrote(board: str, language: str) -> None:
    page = document(board, language, limits={("environment", "temperature"): (Limit(55, "medium"),)})
    assert json.loads(json.dumps(read(page), cls=JSONEncoder)) == page
    assert page["uid"] == f"gridwarden-{board}-{'zh' if language == 'zh-CN' else 'en'}"
    assert "id" not in page or page["id"] is None
    numbers = [panel["id"] for panel in page["panels"]]
    assert numbers == [*range(1, len(numbers) + 1)]


@pytest.mark.parametrize("board", BOARDS)
def test_every_text_is_in_the_language_of_the_dashboard(board: str) -> None:
    english, chinese = texts(document(board, "en")), texts(document(board, "zh-CN"))
    assert not [text for text in english if CHINESE.search(text)]
    assert not [text for text in chinese if not CHINESE.search(text)]


@pytest.mark.parametrize("board", BOARDS)
def test_both_languages_ask_the_same_questions(board: str) -> None:
    def asked(language: str) -> list[str]:
        return [re.sub(r"_(zh|en)\b", "", query) for _, _, query in queries(document(board, language))]

    assert asked("en") == asked("zh-CN")


@pytest.mark.parametrize("board", BOARDS)
def test_panels_fill_rows_without_holes_or_overlaps(board: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in document(board)["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_limits_of_rules_are_lines_in_charts() -> None:
    page = document(
        "fire", "en", limits={("environment", "temperature"): (Limit(55, "medium"), Limit(70, "critical"))}
    )
    (chart,) = (panel for panel in page["panels"] if panel["title"] == "Temperature by building")
    steps = chart["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, 55, 70]


def test_without_a_console_nothing_links_to_it() -> None:
    import dashboards.documents

    page = dashboards.documents.document("overview", Context("en"))
    assert "console" not in json.dumps(page)
    assert '"url": ""' not in json.dumps(page)


def test_files_are_as_grafana_provisions_them(tmp_path: Path) -> None:
    hand_made = tmp_path / "dashboards" / "ours.yaml"
    hand_made.parent.mkdir()
    hand_made.write_text("apiVersion: 1\n")
    stale = tmp_path / "dashboards" / "gridwarden-zh" / "gone.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    contexts = [Context(language) for language in LANGUAGES]
    files = render(
        tmp_path, contexts, Influx("http://i:8086", "grafana", "/run/secrets/influx"), home=Path("/home")
    )
    assert len([path for path in files if path.suffix == ".json"]) == 2 * len(BOARDS)
    (source,) = yaml.safe_load((tmp_path / "datasources" / "gridwarden.yaml").read_text())["datasources"]
    assert source["secureJsonData"] == {"password": "$__file{/run/secrets/influx}"}
    providers = yaml.safe_load((tmp_path / "dashboards" / "gridwarden.yaml").read_text())["providers"]
    assert [one["options"]["path"] for one in providers] == [
        "/home/dashboards/gridwarden-zh",
        "/home/dashboards/gridwarden-en",
    ]
    assert hand_made.exists()
    assert not stale.exists()
    again = render(tmp_path, contexts, Influx())
    assert [path.name for path in again] == [path.name for path in files]


def test_what_grafana_watches_is_a_file_of_its_own(tmp_path: Path) -> None:
    render(tmp_path, [Context("en")], Influx(), Hook("http://gateway:8420/", "$__file{/etc/grafana/hook}"))
    text = (tmp_path / "alerting" / "gridwarden.yaml").read_text()
    told = yaml.safe_load(text)
    (group,) = told["groups"]
    assert [rule["title"] for rule in group["rules"]] == ["Gateway silent", "No readings at all"]
    assert not {"folderUID", "ruleGroup", "orgID"} & {key for rule in group["rules"] for key in rule}
    (point,) = told["contactPoints"]
    (receiver,) = point["receivers"]
    assert receiver["settings"]["url"] == "http://gateway:8420/api/v1/watchers/grafana"
    assert {rule["notification_settings"]["receiver"] for rule in group["rules"]} == {point["name"]}
    assert text.count("$") == 1, "Grafana takes what follows a dollar sign for a variable"


@pytest.mark.parametrize("language", LANGUAGES)
def test_alert_rules_are_what_the_sdk_reads_back(language: str) -> None:
    told = rule_group(Context(language), told=True)
    for rule in told["rules"]:
        plain = json.loads(json.dumps(alerting.Rule.from_json(rule), cls=JSONEncoder))
        assert {key: plain[key] for key in ("uid", "title", "for", "annotations")} == {
            key: rule[key] for key in ("uid", "title", "for", "annotations")
        }
        assert [query["refId"] for query in plain["data"]] == ["A", "B", "C"]
        assert rule["annotations"]["name_zh"] != rule["annotations"]["name_en"]
