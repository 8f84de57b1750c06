"""Measures the model on the test data: mean squared error and its standard deviation, into evaluation.json."""

import json
import logging
import pathlib
import pickle
import tarfile
import tempfile

import numpy as np
import pandas as pd
import xgboost
from sklearn.metrics import mean_squared_error

logging.basicConfig(level=logging.INFO, format="%(message)s")
logger = logging.getLogger()


def main():
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open("/opt/ml/processing/model/model.tar.gz") as archive:
            archive.extractall(folder)
        with open(f"{folder}/xgboost-model", "rb") as file:  # a pickle: what XGBoost 1.0-1 saves
            model = pickle.load(file)

    table = pd.read_csv("/opt/ml/processing/test/test.csv", header=None)
    rings = table.pop(0).to_numpy()
    predicted = model.predict(xgboost.DMatrix(table.to_numpy()))

    mse = mean_squared_error(rings, predicted)
    report = {
        "regression_metrics": {
            "mse": {"value": float(mse), "standard_deviation": float(np.std(rings - predicted))},
        },
    }
    logger.info("MSE %.4f on %d abalones", mse, len(rings))

    pathlib.Path("/opt/ml/processing/evaluation").mkdir(parents=True, exist_ok=True)
    with open("/opt/ml/processing/evaluation/evaluation.json", "w") as file:
        json.dump(report, file)


if __name__ == "__main__":
    main()
