"""Units as UCUM codes, and the linear conversions into the canonical ones.

Conversion runs once per reading on the hot path, so it is a table of factor and offset per pair
rather than a units library: ``canonical = native * factor + offset``. Factors are exact by
definition (SI prefixes, 273.15 K, 9/5 °F); ppm of CO to %LEL is not here on purpose, because it
depends on the gas.
"""

from typing import Final, NamedTuple


class UnknownUnit(ValueError):
    """No conversion between the two units is known. Configuration to mend."""


class Conversion(NamedTuple):
    """``canonical = native * factor + offset``."""

    factor: float
    offset: float

    def __call__(self, value: float) -> float:
        """`value` in the target unit."""
        return value * self.factor + self.offset


IDENTITY: Final = Conversion(1.0, 0.0)

CANONICAL: Final = frozenset(
    {
        "Cel",
        "%",
        "Pa",
        "lx",
        "[ppm]",
        "ug/m3",
        "V",
        "A",
        "W",
        "dBm",
        "dB",
        "%LEL",
        "%/m",
        "s",
        "By",
        "/s",
        "1",
        "m",
        "L/s",
        "m3/min",
        "m/s",
    }
)
"""The units that readings are stored in."""

_TO_CANONICAL: Final[dict[str, tuple[str, Conversion]]] = {
    "[degF]": ("Cel", Conversion(5 / 9, -160 / 9)),
    "K": ("Cel", Conversion(1.0, -273.15)),
    "0.1Cel": ("Cel", Conversion(0.1, 0.0)),
    "hPa": ("Pa", Conversion(100.0, 0.0)),
    "kPa": ("Pa", Conversion(1e3, 0.0)),
    "MPa": ("Pa", Conversion(1e6, 0.0)),
    "bar": ("Pa", Conversion(1e5, 0.0)),
    "mV": ("V", Conversion(1e-3, 0.0)),
    "mA": ("A", Conversion(1e-3, 0.0)),
    "kW": ("W", Conversion(1e3, 0.0)),
    "[ppb]": ("[ppm]", Conversion(1e-3, 0.0)),
    "mg/m3": ("ug/m3", Conversion(1e3, 0.0)),
    "ms": ("s", Conversion(1e-3, 0.0)),
    "min": ("s", Conversion(60.0, 0.0)),
    "h": ("s", Conversion(3600.0, 0.0)),
    "kBy": ("By", Conversion(1e3, 0.0)),
    "MBy": ("By", Conversion(1e6, 0.0)),
    "cm": ("m", Conversion(1e-2, 0.0)),
}


def conversion(native: str, canonical: str) -> Conversion:
    """How a value in `native` becomes one in `canonical`.

    An empty `native` means the canonical unit already. Raises `UnknownUnit`.
    """
    if native in ("", canonical):
        return IDENTITY
    target, found = _TO_CANONICAL.get(native, ("", IDENTITY))
    if target != canonical:
        raise UnknownUnit(f"no conversion from {native!r} to {canonical!r}")
    return found


def known_units() -> frozenset[str]:
    """Every unit that a device type may name."""
    return CANONICAL | _TO_CANONICAL.keys()
