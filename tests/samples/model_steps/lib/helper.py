"""A dependency of the code."""
