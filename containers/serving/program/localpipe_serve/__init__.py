"""Serves a model over HTTP as AWS's containers do: worker processes, the routes of the contract, the author's code.

Each family's `serve` says which model it is; those of scikit-learn and PyTorch are here, XGBoost's is with its algorithm.
Follows: containers.md 3.1, 3.2, 3.9.
"""
