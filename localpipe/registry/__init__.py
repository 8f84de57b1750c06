"""The model registry of a home: models, model package groups and their versions."""

from localpipe.registry.sqlite import SqliteRegistry

__all__ = ["SqliteRegistry"]
