"""Serves what train.py has trained: CSV in, CSV out, one row for each row."""

import io
import os

import joblib
import numpy as np


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(body, content_type):
    text = body.decode() if isinstance(body, (bytes, bytearray)) else body
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)


def predict_fn(data, model):
    return model.transform(data) if hasattr(model, "transform") and not hasattr(model, "predict") else model.predict(data)


def output_fn(prediction, accept):
    rows = np.asarray(prediction)
    rows = rows.reshape(len(rows), -1)
    return "\n".join(",".join(repr(float(value)) for value in row) for row in rows) + "\n", "text/csv"
