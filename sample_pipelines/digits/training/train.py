"""Trains a nearest-neighbours classifier: ModelTrainer gives folders and hyperparameters as SM_* variables."""

import os

import joblib
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier

train = pd.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"))
digits = train.pop("digit")
model = KNeighborsClassifier(n_neighbors=int(os.environ["SM_HP_NEIGHBORS"]))
model.fit(train, digits)
print(f"training accuracy={model.score(train, digits):.4f}")
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
