"""Splits the days into training and test data."""

import argparse

import pandas as pd
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--test-percent", type=int, required=True)
args = parser.parse_args()

days = pd.read_csv("/opt/ml/processing/input/data/demand.csv")
train, test = train_test_split(days, test_size=args.test_percent / 100, random_state=3)
train.to_csv("/opt/ml/processing/train/train.csv", index=False)
test.to_csv("/opt/ml/processing/test/test.csv", index=False)
print(f"{len(train)} days for training, {len(test)} for the comparison")
