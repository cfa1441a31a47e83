"""The command line: puts the rooms together, and nothing else."""

from importlib.metadata import version

__version__ = version("gridwarden")
