"""Tells two kinds of leaves apart by length and width; writes the model and how good it is."""

import json
import pathlib
import tarfile

import joblib
import pandas
from sklearn.linear_model import LogisticRegression

BASE = pathlib.Path("/opt/ml/processing")

leaves = pandas.read_csv(BASE / "data" / "leaves.csv")
held_out = leaves.index % 4 == 0
model = LogisticRegression().fit(leaves.loc[~held_out, ["length", "width"]], leaves.loc[~held_out, "kind"])
accuracy = model.score(leaves.loc[held_out, ["length", "width"]], leaves.loc[held_out, "kind"])

joblib.dump(model, "/tmp/model.joblib")
with tarfile.open(BASE / "model" / "model.tar.gz", "w:gz") as archive:
    archive.add("/tmp/model.joblib", "model.joblib")
(BASE / "quality" / "quality.json").write_text(json.dumps({"accuracy": accuracy}))
print(f"accuracy {accuracy:.2f} on {held_out.sum()} leaves")
