"""One frozen value, made at the edge and handed down: flag > environment > file > default; knows where each came from."""

from localpipe.settings.file import FILE_NAME
from localpipe.settings.load import load_settings
from localpipe.settings.model import Settings
from localpipe.settings.options import CACHE_CHOICES, ENVIRONMENT_PREFIX, JOB_COMMAND, OPTIONS, RUNNER_CHOICES
from localpipe.settings.tables import TABLES

__all__ = [
    "CACHE_CHOICES",
    "ENVIRONMENT_PREFIX",
    "FILE_NAME",
    "JOB_COMMAND",
    "OPTIONS",
    "RUNNER_CHOICES",
    "TABLES",
    "Settings",
    "load_settings",
]
