"""What a newcomer sees: one command, a fire, a case for the right officer, on a screen in both languages."""

import csv
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.acceptance.conftest import GRIDWARDEN, Installation

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation in which the kitchen fire has become a case."""
    installation = Installation(tmp_path_factory.mktemp("first-run") / "var", ["--devices", "120"]).start()
    try:
        installation.wait(lambda: fire(installation), "the kitchen fire is a case", 90)
        yield installation
    finally:
        if installation.process is not None:
            assert installation.stop() == 0, installation.output


def fire(house: Installation) -> dict[str, Any] | None:
    cases: list[dict[str, Any]] = house.get("cases", category="fire")["items"]
    return cases[0] if cases else None


def burning_device(house: Installation) -> str:
    evidence: list[dict[str, Any]] = house.get(f"cases/{number(house)}")["evidence"]
    return str(next(one["device"] for one in evidence if one["point"] == "smoke"))


def number(house: Installation) -> str:
    found = fire(house)
    assert found is not None
    return str(found["number"])


def test_the_fire_is_an_alarm_and_a_case_for_the_officer_of_the_place(house: Installation) -> None:
    case = house.get(f"cases/{number(house)}")
    with (house.data / "site" / "grids.csv").open(encoding="utf-8-sig") as file:
        officers = {row["id"]: row["officer"] for row in csv.DictReader(file)}
    with (house.data / "site" / "places.csv").open(encoding="utf-8-sig") as file:
        grid_of = {row["id"]: row["grid"] for row in csv.DictReader(file)}
    assert case["officer"]["id"] == officers[grid_of[case["place"]]]
    assert case["priority"] == "P1"
    assert case["alarm_list"]
    assert case["history"]
    assert {alarm["severity"] for alarm in case["alarm_list"]} == {"critical"}


def test_the_readings_of_the_fire_are_in_the_store(house: Installation) -> None:
    device = burning_device(house)
    series = house.get("series", device=device, point="smoke")
    assert True in [value for _, value in series["raw"]]
    (latest,) = [value for value in house.get("latest", device=device)[device] if value["point"] == "smoke"]
    assert latest["unit"] == ""
    assert latest["lane"] == "alarm"


def test_the_terminal_tells_the_case(house: Installation) -> None:
    house.wait(lambda: number(house) in house.output, "the case is told in the terminal")


def test_a_second_start_on_the_same_folder_is_refused(house: Installation) -> None:
    refused = house.command("up", "--data", str(house.data), check=False)
    assert refused.returncode != 0
    assert "already runs" in refused.stderr
    assert house.get("health")["status"] == "ok"


def test_the_books_balance_while_everything_runs(house: Installation) -> None:
    house.wait(lambda: house.books()["balanced"], "the books balance")
    assert house.get("books")["taken"] > 0


@pytest.fixture(scope="module")
def browser_page(house: Installation) -> Iterator[Callable[..., Page]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)

        def open_page(path: str, language: str, width: int = 1440, height: int = 900) -> Page:
            page = browser.new_page(locale=language, viewport={"width": width, "height": height})
            page.goto(f"{house.address}{path}")
            return page

        yield open_page
        browser.close()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_overview_shows_what_burns(
    house: Installation, browser_page: Callable[..., Page], language: str, width: int
) -> None:
    page = browser_page("/", language, width)
    case = house.get(f"cases/{number(house)}")
    expect(page.locator("body")).to_contain_text(
        case["alarm_list"][0]["rule_label"][language[:2]], timeout=20_000
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_case_page_shows_officer_evidence_and_chart(
    house: Installation, browser_page: Callable[..., Page], language: str, width: int
) -> None:
    errors: list[str] = []
    page = browser_page("/", language, width)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{house.address}/cases/{number(house)}")
    case = house.get(f"cases/{number(house)}")
    expect(page.locator("body")).to_contain_text(case["officer"]["name"], timeout=20_000)
    expect(page.locator("body")).to_contain_text(number(house))
    expect(page.locator("canvas").first).to_be_visible(timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert errors == []
    page.close()


def test_an_officer_accepts_the_case_and_history_says_so(house: Installation) -> None:
    before = house.get(f"cases/{number(house)}")
    answer = house.post(
        f"cases/{number(house)}/actions", {"action": "accept", "actor": before["officer"]["id"]}
    )
    assert answer.status_code == 200, answer.text
    assert [entry["seq"] for entry in answer.json()["history"][: len(before["history"])]] == [
        entry["seq"] for entry in before["history"]
    ]
    assert answer.json()["history"][-1]["actor"] == before["officer"]["id"]


def test_what_the_life_cycle_forbids_is_refused_with_the_reason(house: Installation) -> None:
    answer = house.post(f"cases/{number(house)}/actions", {"action": "close", "actor": "nobody"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nobody" in answer.json()["detail"]


def test_ctrl_c_stops_everything_and_the_next_start_goes_on(
    installation: Callable[..., Installation], tmp_path: Path
) -> None:
    house = installation("--devices", "40").start()
    house.wait(lambda: fire(house), "the kitchen fire is a case", 90)
    before = number(house)
    pids = [child.pid for child in house.children().values()]
    assert house.stop() == 0, house.output
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    house.start()
    assert house.get(f"cases/{before}")["number"] == before
    house.wait(lambda: house.books()["balanced"], "the books balance after the second start")
    assert house.stop() == 0, house.output


def test_a_port_that_is_taken_is_named(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "10")
    listener = subprocess.Popen(
        ["socat", f"TCP-LISTEN:{house.ports[0]},bind=127.0.0.1,reuseaddr,fork", "/dev/null"]
    )
    try:
        house.wait(
            lambda: subprocess.run(["ss", "-ltn"], capture_output=True, text=True, check=True).stdout.count(
                f":{house.ports[0]} "
            ),
            "socat listens",
        )
        done = house.command(
            "up", "--data", str(house.data), "--port", str(house.ports[0]), "--bus-port", str(house.ports[1]),
            "--mqtt-port", str(house.ports[2]), check=False,
        )  # fmt: skip
    finally:
        listener.kill()
        listener.wait()
    assert done.returncode != 0
    assert f"port {house.ports[0]} is taken" in done.stderr


def test_a_scenario_that_does_not_exist_starts_nothing(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "10")
    done = house.command(
        "up", "--data", str(house.data), "--port", str(house.ports[0]), "--bus-port", str(house.ports[1]),
        "--mqtt-port", str(house.ports[2]), "--devices", "10", "--scenario", "kichen-fire", check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "did you mean `kitchen-fire`?" in done.stderr
    assert not (house.data / "gateway").exists()


def test_the_fire_is_acknowledged_over_the_api_and_a_burning_alarm_cannot_be_reset(
    house: Installation,
) -> None:
    alarm = house.get(f"cases/{number(house)}")["alarm_list"][0]["id"]
    person = next(one["id"] for one in house.get("site")["people"] if one["role"] == "safety_officer")
    where = f"alarms/{quote(alarm, safe='')}"
    done = house.post(f"{where}/acknowledge", {"actor": person})
    assert done.status_code == 200, done.text
    assert done.json()["acknowledged"] is True
    assert done.json()["acknowledged_by"] == person
    assert house.get(where)["findings"][-1]["kind"] == "acknowledged"
    without_note = house.post(f"{where}/reset", {"actor": person})
    assert without_note.status_code == 409


def test_the_reference_of_the_api_works_without_internet(
    house: Installation, browser_page: Callable[..., Page]
) -> None:
    """Under the gateway's own policy, and asking nothing of any other machine."""
    page = browser_page("/docs", "en")
    complaints: list[str] = []
    elsewhere: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: elsewhere.append(sent.url))
    page.reload()
    operation = page.locator("#operations-site-overview_api_v1_overview_get")
    expect(operation).to_contain_text("The five-second answer", timeout=20_000)
    operation.get_by_role("button").first.click()
    expect(operation).to_contain_text("临滨苑8号楼", timeout=20_000)  # the example
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("cases_open", timeout=20_000)
    assert complaints == []
    assert [url for url in elsewhere if not url.startswith((house.address, "data:"))] == []
    page.close()


def test_the_doctor_speaks_ones_language_of_the_running_parts_too(house: Installation) -> None:
    done = subprocess.run(
        [*GRIDWARDEN, "doctor", "--data", str(house.data)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "GRIDWARDEN_LANG": "zh"},
    )  # fmt: skip
    assert "✓ 消息总线" in done.stdout, done.stdout + done.stderr
    plain = [line for line in done.stdout.splitlines() if not re.search(r"[\u4e00-\u9fff]|Python", line)]
    assert plain == []
    assert not re.search(r"[\u4e00-\u9fff][:,;]", done.stdout)
