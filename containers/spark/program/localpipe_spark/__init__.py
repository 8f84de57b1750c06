"""Stands for `smspark-submit` of AWS's Spark processing images: PySpark from PyPI in local mode, on a Java from PyPI.

Follows: containers.md 1.10 and section 5; AWS's sagemaker-spark-container for what the options mean. The files that decide
(`options`, `configuration`, `submission`) need neither PySpark nor Java.
"""
