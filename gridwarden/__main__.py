"""``python -m gridwarden``: how one process of GridWarden starts another."""

from gridwarden.main import main

main()
