"""Trains one model with the hyperparameters of its training job, and logs how it does on the validation data."""

import argparse
import os

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, required=True)
parser.add_argument("--trees", type=int, required=True)
parser.add_argument("--loss", required=True)
parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
args, _ = parser.parse_known_args()


def flats_and_rents(path):
    flats = pd.read_csv(path)
    return flats, flats.pop("rent")


flats, rents = flats_and_rents(os.path.join(args.train, "train.csv"))
model = GradientBoostingRegressor(learning_rate=args.learning_rate, n_estimators=args.trees, loss=args.loss, random_state=0)
model.fit(flats, rents)
flats, rents = flats_and_rents(os.path.join(args.validation, "validation.csv"))
print(f"validation-rmse={np.sqrt(np.mean((model.predict(flats) - rents) ** 2)):.4f}")
joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
