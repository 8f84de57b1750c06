"""Downloads the abalone data, scales it, and splits it: 70 % train, 15 % validation, 15 % test; the label comes first."""

import argparse
import logging
import os
import pathlib
from urllib.parse import urlparse

import boto3
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

logging.basicConfig(level=logging.INFO, format="%(message)s")
logger = logging.getLogger()

BASE_DIR = "/opt/ml/processing"
LABEL = "rings"
NUMBERS = [
    "length",
    "diameter",
    "height",
    "whole_weight",
    "shucked_weight",
    "viscera_weight",
    "shell_weight",
]
CATEGORIES = ["sex"]
SEED = 7


def download(url, target):
    """Fetch one S3 object."""
    place = urlparse(url)
    logger.info("Downloading %s", url)
    boto3.client("s3").download_file(place.netloc, place.path.lstrip("/"), target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input-data", type=str, required=True)
    args = parser.parse_args()

    data_file = os.path.join(BASE_DIR, "data", "abalone.csv")
    pathlib.Path(data_file).parent.mkdir(parents=True, exist_ok=True)
    download(args.input_data, data_file)
    table = pd.read_csv(data_file, header=None, names=CATEGORIES + NUMBERS + [LABEL])
    logger.info("Read %d abalones", len(table))

    numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    transform = ColumnTransformer(
        [("numbers", numeric, NUMBERS), ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)]
    )
    label = table.pop(LABEL).to_numpy().reshape(-1, 1)
    rows = np.concatenate((label, transform.fit_transform(table)), axis=1)

    np.random.RandomState(SEED).shuffle(rows)
    train, validation, test = np.split(rows, [int(0.7 * len(rows)), int(0.85 * len(rows))])
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        pd.DataFrame(part).to_csv(f"{BASE_DIR}/{name}/{name}.csv", header=False, index=False)
        logger.info("Wrote %d rows for %s", len(part), name)


if __name__ == "__main__":
    main()
