"""The gateway: puts the services together and answers people and systems.

Here the normaliser, the writers, the rule runner and the web API run as owned tasks of one process.
The meaning of readings, rules and cases lives in their own rooms; what is here is composition, the
public API, the live feed and the built console's pages.
"""
