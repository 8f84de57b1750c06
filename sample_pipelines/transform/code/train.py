"""Trains a classifier of wines, or with --part the two halves of one: a scaler, and a classifier of what it scales."""

import argparse
import os
import tarfile

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--part", choices=["whole", "scaler", "classifier"], default="whole")
args = parser.parse_args()

table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
kinds, features = table[:, 0].astype(int), table[:, 1:]

if args.part == "scaler":
    model = StandardScaler().fit(features)
elif args.part == "classifier":
    with tarfile.open(os.path.join(os.environ["SM_CHANNEL_SCALER"], "model.tar.gz")) as archive:
        archive.extractall("/tmp/scaler")
    model = LogisticRegression(max_iter=1000).fit(joblib.load("/tmp/scaler/model.joblib").transform(features), kinds)
else:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, kinds)

joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
