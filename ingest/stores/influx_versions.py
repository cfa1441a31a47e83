"""In what the versions of InfluxDB differ, as far as we use them; everything else is the same.

All three take ``/write`` and ``/query`` with HTTP Basic, and fully qualified names:
``"db"."policy"."measurement"``.

================  ====================  ============================  =========================
What              1.x                   2.x                           3 Core
================  ====================  ============================  =========================
a policy is       a retention policy    a bucket, mapped by a DBRP    a database ``db/policy``
password          the user's            an API token [A]_             a token [B]_
who may what      users and grants      tokens with rights on one     administrators only [C]_
made by           InfluxQL statements   its API                       its API [D]_
refused points    see `influx_answers`  as 1.x                        a list of lines
largest request   25 MB [E]_            what a proxy takes [F]_       10 MB [G]_
================  ====================  ============================  =========================

Downsampling is our own for all (docs/decisions/0014).

.. [A] https://docs.influxdata.com/influxdb/v2/api-guide/influxdb-1x/#authentication: the user may be
anything then
.. [B] https://docs.influxdata.com/influxdb3/core/write-data/http-api/compatibility-apis/: likewise
.. [C] https://docs.influxdata.com/influxdb3/core/admin/tokens/: rights on one database are Enterprise's
.. [D] https://docs.influxdata.com/influxdb3/core/admin/databases/create; a name with ``/`` is what the
server makes
   of ``db`` and ``rp`` (``V1_NAMESPACE_RP_SEPARATOR`` in its source), also in a query (``resolve_dbrp``)
.. [E] ``max-body-size`` of 1.6.7's configuration
.. [F] ``http-write-body-max-bytes`` is unlimited, proxies in front usually are not: our own limit
.. [G] ``--max-http-request-size``, https://docs.influxdata.com/influxdb3/core/reference/config-options/
"""

import re
from enum import IntEnum
from typing import Final

_NUMBER: Final = re.compile(r"v?(\d+)\.")
LARGEST_REQUEST: Final = {1: 25_000_000, 2: 50_000_000, 3: 10 * 1024 * 1024}
"""Bytes, by version."""


class Version(IntEnum):
    """A generation of InfluxDB."""

    ONE = 1
    TWO = 2
    THREE = 3


def generation(told: str) -> Version | None:
    """Which one a server is by what ``/ping`` tells (1.6.7~rc0, v2.7.11, 3.1.0); None: another or none."""
    found = _NUMBER.match(told.strip())
    try:
        return Version(int(found[1])) if found else None
    except ValueError:
        return None
