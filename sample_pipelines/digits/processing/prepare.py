"""Takes the digits that come with scikit-learn, 1,797 pictures of 8 x 8 pixels, and splits them."""

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

pixels, digits = load_digits(return_X_y=True)
table = pd.DataFrame(pixels.astype(int))
table.insert(0, "digit", digits)
train, test = train_test_split(table, test_size=0.25, random_state=5, stratify=digits)
train.to_csv("/opt/ml/processing/train/train.csv", index=False)
test.to_csv("/opt/ml/processing/test/test.csv", index=False)
print(f"{len(train)} pictures for training, {len(test)} for the evaluation")
