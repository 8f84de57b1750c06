"""Stands for the training program of AWS's XGBoost images: script mode by AWS's toolkit, else the built-in algorithm.

Follows: containers.md 2.9, 2.13, section 5; practice.md. The files that decide (`hyperparameters`, `formats`) need neither
numpy nor xgboost.
"""
