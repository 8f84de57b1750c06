"""Splits the flats into those to train with, those to tune with and those that neither sees."""

import pathlib

import pandas as pd

BASE = pathlib.Path("/opt/ml/processing")

flats = pd.read_csv(BASE / "input" / "data" / "rents.csv").sample(frac=1, random_state=3)
parts = {"train": flats[:360], "validation": flats[360:480], "test": flats[480:]}
for name, part in parts.items():
    folder = BASE / name
    folder.mkdir(parents=True, exist_ok=True)
    part.to_csv(folder / f"{name}.csv", index=False)
    print(f"{name}: {len(part)} flats")
