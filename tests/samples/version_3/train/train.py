"""Measures how far a place is from the lowest point of a curve, and leaves its hyperparameters as the model."""

import argparse
import json
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--height", type=float)
parser.add_argument("--place", type=int)
parser.add_argument("--slope", type=float)
parser.add_argument("--kind", choices=["square", "absolute"])
args, _ = parser.parse_known_args()

away = args.place - int((Path(os.environ["SM_CHANNEL_DATA"]) / "lowest.txt").read_text())
print(f"loss={args.height + args.slope * (away**2 if args.kind == 'square' else abs(away)):.6f}")
(Path(os.environ["SM_MODEL_DIR"]) / "model.json").write_text(json.dumps(vars(args)))
