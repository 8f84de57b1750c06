"""Writes the wines to train with (kind first, no header) and two files of wines to classify (their number first)."""

import os

import numpy as np
from sklearn.datasets import load_wine

OUT = "/opt/ml/processing"

wines = load_wine()
order = np.random.default_rng(0).permutation(len(wines.target))
train, rest = order[:120], order[120:]

os.makedirs(f"{OUT}/train", exist_ok=True)
np.savetxt(f"{OUT}/train/train.csv", np.column_stack([wines.target[train], wines.data[train]]), delimiter=",", fmt="%.6g")
for name, rows in (("monday", rest[:30]), ("tuesday", rest[30:])):
    os.makedirs(f"{OUT}/batch/{name}", exist_ok=True)
    table = np.column_stack([rows, wines.data[rows]])
    np.savetxt(f"{OUT}/batch/{name}/wines.csv", table, delimiter=",", fmt="%.6g")
