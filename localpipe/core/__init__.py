"""The words that every part of localpipe shares. Pure: no file, socket, clock, thread, environment or randomness."""

from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list of JSON, dict of str to JSON. Not checked by types: `Any`."""
