"""Every parser of bytes from outside, by name."""

from tests.fuzz.targets import edge, files, influx, links, parquet, site, wire, words

TARGETS = {
    target.name: target
    for room in (edge, wire, words, influx, files, parquet, site, links)
    for target in room.TARGETS
}
