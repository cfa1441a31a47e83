"""Files for ``/etc/grafana/provisioning``: data source, dashboards and where they are, what Grafana watches.

https://grafana.com/docs/grafana/latest/administration/provisioning/. Written whole into a new folder, which
takes the old one's place: Grafana never reads half of it.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from dashboards import watching
from dashboards.context import Context
from dashboards.documents import Folder, Influx, data_source, folders
from dashboards.watching import Hook

PROVISIONING: Final = Path("/etc/grafana/provisioning")
_LOOK_SECONDS: Final = 60


def render(
    target: Path,
    contexts: Sequence[Context],
    influx: Influx,
    hook: Hook | None = None,
    home: Path = PROVISIONING,
) -> list[Path]:
    """Write everything into `target` and give the files' paths; `home` is where Grafana will see it.

    The secret of `hook` is written as it is: name a file, ``$__file{/etc/grafana/…}``.

    What is in `target` besides our own files stays. Raises OSError.
    """
    made = [*folders(contexts)]
    files = {
        Path("datasources/gridwarden.yaml"): _yaml(_data_sources(contexts[0], influx)),
        Path("dashboards/gridwarden.yaml"): _yaml(_providers(made, home)),
        Path("alerting/gridwarden.yaml"): _yaml(watching.provisioned(contexts[0], hook)),
    }
    for folder in made:
        for document in folder.dashboards:
            text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
            files[_place(folder) / f"{document['uid']}.json"] = f"{text}\n"
    for folder in made:
        shutil.rmtree(target / _place(folder), ignore_errors=True)
    for path, text in files.items():
        _write(target / path, text)
    return [target / path for path in files]


def _place(folder: Folder) -> Path:
    return Path("dashboards") / folder.uid


def _providers(made: Sequence[Folder], home: Path) -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": folder.uid,
                "folder": folder.title,
                "folderUid": folder.uid,
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": _LOOK_SECONDS,
                "options": {"path": str(home / _place(folder))},
            }
            for folder in made
        ],
    }


def _data_sources(context: Context, influx: Influx) -> dict[str, Any]:
    source = data_source(context, influx)
    if influx.password_file:
        source["secureJsonData"] = {"password": f"$__file{{{influx.password_file}}}"}
    return {"apiVersion": 1, "datasources": [source]}


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
