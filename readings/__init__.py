"""What a device said, in two shapes: as its driver saw it and as GridWarden means it.

A `Sample` is what a driver decoded: native address, native point, native value. The normaliser
turns it into a `Reading`: device id, canonical point, canonical unit, quality. Both are frozen, and
both travel in batches that carry who took them (edge, lane) and in which order (seq).

This room also holds what every other room must agree on: the vocabulary of points and detector
states, unit conversion, the bytes on the bus and the names of its subjects. It does no I/O, reads no
clock and imports no other room.
"""

from readings.lanes import Lane
from readings.quality import Quality
from readings.reading import Reading, ReadingBatch
from readings.sample import Sample, SampleBatch, Scalar

__all__ = ["Lane", "Quality", "Reading", "ReadingBatch", "Sample", "SampleBatch", "Scalar"]
