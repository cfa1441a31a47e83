"""Backups of a running installation, and putting them back.

`gridwarden.backup.taking` says in which order the parts are read so that they fit together,
`gridwarden.backup.restoring` how they become an installation again, `gridwarden.backup.archive` what a backup
looks like on disk. An edge's outbox is never part of one (docs/decisions/0006), only the batches that wait
in it.
"""
