"""The public HTTP API, ``/api/v1``: whatever the console can do, the city's system can do.

Schemas say what travels, routes say where; errors are RFC 9457 problems; what changes is pushed as
server-sent events.
"""
