"""A small site folder to change, and a ready reference community."""

from collections.abc import Callable
from pathlib import Path

import pytest

from registry.loading import load_site
from registry.site import Site
from simulators.community import write_community

SITE = """\
name: {zh: 小区, en: Estate}
timezone: Asia/Shanghai
calendars:
  - {id: office, days: mon-fri, start: 08:30, end: 17:30, holidays: CN}
  - {id: night, start: 22:00, end: 06:00}
units:
  - {id: city, name: {zh: 城市管理部, en: City management}}
"""
GRIDS = """\
id,name_zh,name_en,kind,level,parent,officer
R1,临滨苑,Linbin Yuan,residential,1,,zhang
R1-01,第1片,Section 1,residential,2,R1,
R1-01-01,1号楼,Building 1,residential,3,R1-01,wang
R1-01-02,2号楼,Building 2,residential,3,R1-01,
"""
PLACES = """\
id,name_zh,name_en,grid,building,unit,floor,fire_zone,closed,x,y
kitchen,厨房,Kitchen,R1-01-01,1号楼,2,6,z1,,117.28,31.72
corridor,走廊,Corridor,R1-01-01,1号楼,2,6,z1,,117.28,31.72
hall,大厅,Hall,R1-01-02,2号楼,,1,,night,117.281,31.721
"""
PEOPLE = """\
id,name,role,phone,unit
wang,王芳,grid_officer,,
zhang,张伟,grid_officer,,
li,李强,department,,city
"""
DEVICES = """\
id,type,place,edge,connection,address
smoke-1,z2m-smoke,kitchen,east,z2m,kitchen/smoke
smoke-2,z2m-smoke,corridor,east,z2m,corridor/smoke
temp-1,xy-md02,hall,east,rs485-1,17
camera-1,frigate-camera,hall,west,frigate,hall
"""
EAST = """\
id: east
place: kitchen
connections:
  - {id: z2m, driver: zigbee2mqtt, settings: {topic: zigbee2mqtt/east}}
  - {id: rs485-1, driver: modbus-rtu, settings: {port: /dev/ttyUSB0}}
"""
WEST = """\
id: west
place: hall
connections:
  - {id: frigate, driver: frigate}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound site folder that the test may change."""
    for name, text in {
        "site.yaml": SITE,
        "grids.csv": GRIDS,
        "places.csv": PLACES,
        "people.csv": PEOPLE,
        "devices.csv": DEVICES,
        "edges/east.yaml": EAST,
        "edges/west.yaml": WEST,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def edit(folder: Path) -> Callable[[str, str, str], None]:
    """Replace a text in a file of the folder; the text must be there."""

    def replace(file: str, old: str, new: str) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return replace


@pytest.fixture
def site(folder: Path) -> Site:
    """The sound site, loaded."""
    return load_site(folder).unwrap()


@pytest.fixture(scope="session")
def community(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the reference community with its usual 2,000 devices."""
    folder = tmp_path_factory.mktemp("community")
    write_community(folder, broker_url="mqtt://127.0.0.1:1883", serial_dir="/tmp/lines")
    return folder
