"""Requests to the built-in algorithm's models as matrices."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import xgboost as xgb
from sagemaker_containers._recordio import _read_recordio
from sagemaker_training.record_pb2 import Record
from sagemaker_xgboost_container import encoder
from scipy.sparse import csr_matrix, vstack

from localpipe_xgboost import formats
from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TENSORS = ("float32_tensor", "float64_tensor", "int32_tensor")


def matrix(body: bytes, kind: str) -> xgb.DMatrix:
    """One row of features for each record, without label. Raises UserError for what is not of that format."""
    try:
        return _DECODERS[kind](body)
    except (ValueError, AssertionError, xgb.core.XGBoostError) as error:  # AssertionError: RecordIO without its magic number
        raise UserError(f"The request is not {kind}: {error}") from error


def _csv(body: bytes) -> xgb.DMatrix:
    return encoder.csv_to_dmatrix(body.decode().strip())


def _libsvm(body: bytes) -> xgb.DMatrix:
    """Words without a colon are labels, which AWS's container ignores; rows need none."""
    rows, columns, values = [], [], []
    lines = body.decode().strip().split("\n")
    for row, line in enumerate(lines):
        for index, value in (word.split(":") for word in line.split() if ":" in word):
            rows.append(row)
            columns.append(int(index))
            values.append(float(value))
    return xgb.DMatrix(csr_matrix((values, (rows, columns)), shape=(len(lines), max(columns, default=0) + 1)))


def _recordio(body: bytes) -> xgb.DMatrix:
    """Records of dense or sparse values; labels are ignored."""
    rows = [_row(Record.FromString(record)) for record in _read_recordio(io.BytesIO(body))]
    width = max((row.shape[1] for row in rows), default=0)
    for row in rows:
        row.resize(1, width)
    return xgb.DMatrix(vstack(rows, format="csr"))


def _row(record: Record) -> csr_matrix:
    features = record.features["values"]
    tensor = next(getattr(features, name) for name in _TENSORS if features.HasField(name))
    values = np.array(tensor.values, dtype=np.float32)
    columns = np.array(tensor.keys if len(tensor.keys) else range(len(values)), dtype=np.int64)
    width = tensor.shape[0] if len(tensor.shape) else len(values)
    return csr_matrix((values, (np.zeros_like(columns), columns)), shape=(1, width))


_DECODERS: Mapping[str, Callable[[bytes], xgb.DMatrix]] = {
    formats.CSV: _csv,
    formats.LIBSVM: _libsvm,
    formats.RECORDIO_PROTOBUF: _recordio,
}
