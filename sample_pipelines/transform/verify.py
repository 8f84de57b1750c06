"""Fails unless each output has the number of each wine, in order, and what the trained models themselves say of it."""

import os
import tarfile

import joblib
import numpy as np

IN = "/opt/ml/processing/input"


def loaded(name):
    with tarfile.open(f"{IN}/{name}/model.tar.gz") as archive:
        archive.extractall(f"/tmp/{name}")
    return joblib.load(f"/tmp/{name}/model.joblib")


models = [loaded(name) for name in ("scaler", "model") if os.path.isdir(f"{IN}/{name}")]
seen = 0
for name in ("monday", "tuesday"):
    wines = np.loadtxt(f"{IN}/batch/{name}/wines.csv", delimiter=",")
    found = np.loadtxt(f"{IN}/classified/{name}/wines.csv.out", delimiter=",")
    features = wines[:, 1:]
    for model in models[:-1]:
        features = model.transform(features)
    np.testing.assert_array_equal(found, np.column_stack([wines[:, 0], models[-1].predict(features)]))
    seen += len(found)
print(f"{seen} wines were classified as the model itself does")
