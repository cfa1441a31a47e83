"""The site: its grids, places, people and calendars, its device types and devices, its wiring.

One folder of files (``site.yaml``, CSV tables that installers keep, ``types/*.yaml``, ``edges/*.yaml``)
is read with `registry.loading.load_site`, which either gives a frozen `Site` with a lookup for every
question the other rooms ask, or every problem in every file with its line, value and what was probably
meant. `registry.wiring.load_wiring` reads only what one edge agent may know.

What may not come in: sockets, databases, clocks, asyncio. This room reads files when asked to and
otherwise computes; time is passed in. It knows nothing of rules, alarms or cases, except that case
categories are part of a site's configuration (`registry.categories`).
"""
