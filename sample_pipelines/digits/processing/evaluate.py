"""Measures which part of the test pictures is recognised."""

import json
import tarfile
import tempfile

import joblib
import pandas as pd

test = pd.read_csv("/opt/ml/processing/test/test.csv")
digits = test.pop("digit")

with tempfile.TemporaryDirectory() as folder:
    with tarfile.open("/opt/ml/processing/model/model.tar.gz") as archive:
        archive.extractall(folder)
    model = joblib.load(f"{folder}/model.joblib")

accuracy = float((model.predict(test) == digits).mean())
print(f"accuracy {accuracy:.4f} on {len(test)} pictures")
with open("/opt/ml/processing/evaluation/evaluation.json", "w") as file:
    json.dump({"accuracy": accuracy}, file)
