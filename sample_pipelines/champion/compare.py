"""Measures every model on the test data and names the best."""

import json
import pathlib
import tarfile
import tempfile

import joblib
import numpy as np
import pandas as pd

days = pd.read_csv("/opt/ml/processing/test/test.csv")
hires = days.pop("hires")

rmse = {}
for folder in sorted(pathlib.Path("/opt/ml/processing/models").iterdir()):
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(folder / "model.tar.gz") as archive:
            archive.extractall(unpacked)
        regressor = joblib.load(f"{unpacked}/model.joblib")
    rmse[folder.name] = float(np.sqrt(np.mean((regressor.predict(days) - hires) ** 2)))
    print(f"{folder.name}: RMSE {rmse[folder.name]:.1f} hires a day")

champion = min(rmse, key=rmse.get)
print(f"champion: {champion}")
with open("/opt/ml/processing/comparison/comparison.json", "w") as file:
    json.dump({"champion": champion, "rmse": rmse}, file)
