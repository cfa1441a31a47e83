"""Cases: where sensing becomes safety.

Pure, and tested as such: the life cycle of a case (`cases.table` is the whole of it as data,
`cases.lifecycle` lives by it) and the limit clock (`cases.sla`). The desk (`cases.desk`) turns the
engine's findings into alarms and cases inside one transaction of the store (`cases.store`), which is
SQLAlchemy over SQLite or PostgreSQL. No network, no asyncio and no clock may come in: time is passed in.
"""
