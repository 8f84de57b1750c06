"""Batch transform between S3 and the model: records, payloads, filters, joins, names of outputs. Pure.

Follows: containers.md 3.3, 3.5 to 3.7.
"""
