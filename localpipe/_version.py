"""The version, alone in its file so that building the wheel imports nothing else."""

__version__ = "0.1.0"
