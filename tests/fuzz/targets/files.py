"""Files and sockets of the programs themselves: configuration, recordings, stories, control, status."""

import asyncio
import atexit
import math
import os
import shutil
import tempfile
import zlib
from collections.abc import Awaitable, Callable
from functools import cache
from gzip import compress
from itertools import islice
from pathlib import Path

import msgspec

from gridwarden.commands.core import read_config
from language import LANGUAGES, translator
from registry.problems import InvalidConfiguration
from simulators.casting import Ensemble, NotPlayable
from simulators.clock import Clock
from simulators.control import Play, Tell, serve
from simulators.progress import Progress
from simulators.record import NotARecord, Sent, read_record
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from simulators.timeline import Stage, timeline
from simulators.traffic import NotTraffic, reading
from tests.fuzz.target import Target
from tests.fuzz.targets.edge import JSON_WORDS
from tests.fuzz.targets.site import HOSTILE_YAML, LONG_YAML, YAML_WORDS, in_memory


@cache
def _folder(process: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-files-{process}-", dir=in_memory()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(name: str, data: bytes) -> Path:
    file = _folder(os.getpid()) / name
    file.write_bytes(data)
    return file


def _check_config(data: bytes) -> None:
    """`gridwarden gateway --config`: a configuration or problems that say where."""
    try:
        config = read_config(_file("gateway.yaml", data))
    except InvalidConfiguration as error:
        assert error.problems
        for problem in error.problems:
            assert 1 <= problem.line <= data.count(b"\n") + data.count(b"\r") + 2
            assert str(problem).encode()
            assert len(str(problem)) <= 4_000
        return
    for path in (config.site, config.data, config.edges, config.bus.password_file, config.bus.ca_file):
        assert path is None or not path.is_dir() or path.exists()


def _check_traffic(data: bytes) -> None:
    """A recording is replayed up to where it is broken, and that is said; what is replayed can be sent."""
    for name in ("traffic.jsonl", "traffic.jsonl.gz"):
        try:
            for heard in islice(reading(_file(name, data)), 10_000):
                assert math.isfinite(heard.at)
                assert heard.qos in (0, 1, 2)
                assert not heard.topic or not set("+#\0") & set(heard.topic)
                assert len(heard.topic.encode()) <= 65_535
        except NotTraffic as error:
            assert len(str(error)) <= 1_000


def _check_record(data: bytes) -> None:
    """What the simulators said they sent, as far as it can be read."""
    try:
        for sent in islice(read_record(_file("sent.jsonl.gz", data)), 10_000):
            assert isinstance(sent, Sent)
    except NotARecord as error:
        assert len(str(error)) <= 1_000


@cache
def _ensemble() -> Ensemble:
    from tests.fuzz.targets.site import DEVICES, load

    configuration = load("devices.csv", DEVICES.encode())
    assert configuration.site is not None, configuration.problems
    site = configuration.site
    return Ensemble(site.devices, site.types, site.places)


def _check_scenario(data: bytes) -> None:
    """A story that loads also plays, as far as the site has the devices, and speaks both languages."""
    import random

    try:
        story = load_scenario(_file("story.yaml", data))
    except InvalidConfiguration as error:
        assert error.problems
        assert len(str(error.problems[0])) <= 4_000
        return
    length = story.length()
    assert length is None or math.isfinite(length)
    stage = Stage(_ensemble(), load_scenario, random.Random(1))
    try:
        for action in islice(timeline(story, stage), 500):
            assert math.isfinite(action.at)
            if action.progress is not None:
                assert all(action.progress.sentence(language) for language in LANGUAGES)
    except NotPlayable as error:
        assert all(translator(language)(error.message) for language in LANGUAGES)


def _player() -> Callable[[Play, Tell], Awaitable[None]]:
    from simulators.main import Options, _player

    return _player(Simulation([], _ensemble(), clock=Clock()), Options(serial_dir=_folder(os.getpid())))


async def _asked(data: bytes) -> bytes:
    """What the simulators answer on their socket to `data`; fails when serving it broke anything."""
    broken: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: broken.append(context.get("exception", context)))
    path = _folder(os.getpid()) / "control.sock"
    serving = asyncio.create_task(serve(path, _player()))
    try:
        while not path.exists():  # noqa: ASYNC110 - a socket's file tells nobody that it is there
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 26)
        writer.write(data)
        try:
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            answer = b""
        writer.close()
        await asyncio.sleep(0)
        assert not serving.done(), serving
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert not broken, broken
    return answer


_progress = msgspec.json.Decoder(Progress)


def _check_control(data: bytes) -> None:
    """Every line of the answer is progress; the simulators go on serving."""
    for line in asyncio.run(_asked(data)).splitlines():
        assert all(_progress.decode(line).sentence(language) is not None for language in LANGUAGES)


_CONFIG = b"""\
site: ./site
data: ./data
edges: ./edges
bus: {url: "nats://127.0.0.1:4222", user: core, password_file: secrets/core, alarm_bytes: 268435456}
web: {host: 127.0.0.1, port: 8420}
influx: {url: "http://127.0.0.1:8086", database: gridwarden, user: writer, password_file: secret}
embedded: true
keep: {readings_days: 30}
"""
_TRAFFIC = b"""\
{"format":"gridwarden-traffic","version":1,"begun":1795471200000000000,"source":"mqtt://127.0.0.1"}
{"at":0.1,"payload":"eyJzbW9rZSI6dHJ1ZX0=","topic":"zigbee2mqtt/kitchen/smoke","qos":1,"retain":true}
{"at":0.25,"payload":"AQQCATF5dA=="}
"""
_SENT = b"""\
{"time":1795471200000000000,"device":"kitchen-3","point":"smoke","value":true,"wire":true}
{"time":1795471200000000001,"device":"kitchen-3","point":"mode","value":"on","wire":1,"event":"e","note":"new"}
"""
_STORY = """\
title: {zh: 厨房起火, en: Kitchen fire}
description: 一句话
actors:
  kitchen: {device_class: smoke, place: ["*kitchen*", "*厨房*"]}
  other: {device_class: environment, same: [{building: kitchen}, {grid: kitchen}], optional: true, count: 2}
steps:
  - {at: 5s, device: kitchen, set: {smoke: true}, say: {zh: 冒烟, en: smoke}}
  - {at: 20s, device: other, set: {temperature: {from: 22, to: 78, over: 60s, every: 2s}}}
  - {at: 1m 30s, device: temp-1, rate: {readings: 200, for: 10s}}
  - {at: 2m, device: kitchen, fault: silent, repeat: {every: 10s, times: 3}}
  - {at: 3m, device: kitchen, event: {word: person, score: 0.9, zones: [a], for: 5s}}
  - {at: 4m, play: door-forced-at-night, elsewhere: true}
  - {at: 5m, device: kitchen, release: true}
ends: 10m
""".encode()
_PLAY = b'{"scenario":"kitchen-fire","speed":10.0,"folder":"","seed":0,"elsewhere":false}\n'

_GZIP_BOMB = zlib.compress(b"\0" * 300_000_000, 9, wbits=31)
_LONG_LINE = compress(_TRAFFIC + b'{"at":1,"payload":"' + b"A" * 100_000_000, 1)

TARGETS = (
    Target(
        "gateway-config", _check_config, (_CONFIG,),
        (*YAML_WORDS, b"http://[", b"tls://", b"0.0.0.0", b'"a\\0b"', b"::1", b"https://x"),
        runs=60, hostile=(*HOSTILE_YAML, *LONG_YAML),
    ),
    Target(
        "traffic", _check_traffic, (_TRAFFIC, compress(_TRAFFIC, 9, mtime=0)),
        (*JSON_WORDS, b"\n", b"-1", b"1e300", b'"qos":7', b'"topic":"a/+/#"', b'"topic":"a\\u0000"', b"===="),
        runs=100, hostile=(_GZIP_BOMB, _LONG_LINE, _TRAFFIC + b"[" * 1_000_000),
    ),
    Target(
        "sent-record", _check_record, (compress(_SENT, 9, mtime=0), _SENT),
        (*JSON_WORDS, b"\x1f\x8b\x08\x00", b"\n"),
        runs=100, hostile=(_GZIP_BOMB, compress(_SENT + b"[" * 1_000_000)),
    ),
    Target(
        "scenario", _check_scenario, (_STORY,),
        (*YAML_WORDS, b"repeat: {every: 1ms}", b"0.0001s", b"play: demo", b"optional: true", b"count: 1000"),
        runs=60,
    ),
    Target(
        "control", _check_control, (_PLAY, b'{"scenario":"nowhere","speed":0}\n'),
        (*JSON_WORDS, b"\n", b'"speed":-1', b'"speed":1e308', b'"speed":0', b'"folder":"/proc"',
         b'"a\\u0000b"', b"../../etc/passwd", b'"seed":1e9'),
        runs=40, hostile=(_PLAY[:-2] + b" " * 1_000_000 + b"}\n", b"[" * 60_000 + b"\n"),
    ),
)  # fmt: skip
