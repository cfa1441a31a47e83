"""How the operations database came to be: Alembic migrations, shipped with the program."""
