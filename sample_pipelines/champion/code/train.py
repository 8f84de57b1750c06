"""Trains one model in SageMaker's script mode: hyperparameters are arguments, folders are SM_* variables."""

import argparse
import os

import joblib
import numpy as np
import pandas as pd
from regressors import make_regressor

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--alpha", type=float, default=1.0)
parser.add_argument("--trees", type=int, default=100)
parser.add_argument("--learning-rate", type=float, default=0.1)
parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
args = parser.parse_args()

days = pd.read_csv(os.path.join(args.train, "train.csv"))
hires = days.pop("hires")
regressor = make_regressor(args.model, alpha=args.alpha, trees=args.trees, learning_rate=args.learning_rate)
regressor.fit(days, hires)
print(f"{args.model}: train-rmse={np.sqrt(np.mean((regressor.predict(days) - hires) ** 2)):.3f}")
joblib.dump(regressor, os.path.join(args.model_dir, "model.joblib"))
