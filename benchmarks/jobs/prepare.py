"""Turn the abalones in `in` into numbers, and split them into `train`, `validation` and `test`, the label first."""

import pandas as pd

ROOT = "/opt/ml/processing"

table = pd.read_csv(f"{ROOT}/in/abalone.csv", header=None)
table = pd.concat([table[8], pd.get_dummies(table[0]).astype(float), table[list(range(1, 8))]], axis=1)
table = table.sample(frac=1, random_state=7)
first, second = int(0.7 * len(table)), int(0.85 * len(table))
for name, part in (("train", table[:first]), ("validation", table[first:second]), ("test", table[second:])):
    part.to_csv(f"{ROOT}/{name}/{name}.csv", header=False, index=False)
