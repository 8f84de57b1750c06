"""Requests and responses of inference scripts as matrices and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import xgboost as xgb
from localpipe_xgboost import channels, formats
from sagemaker_containers import _errors

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def csv_to_dmatrix(input: str | bytes, dtype: DTypeLike = None) -> xgb.DMatrix:  # noqa: A002 - AWS's signature
    """Rows of features without label; an empty field is a missing value. `dtype` None: 32-bit floats."""
    lines = _text(input).strip("\n").split("\n")
    delimiter = formats.delimiter_of(lines[0])
    rows = [[field.strip() or "nan" for field in line.split(delimiter)] for line in lines]
    return xgb.DMatrix(np.array(rows).astype(dtype or np.float32))


def libsvm_to_dmatrix(string_like: str | bytes) -> xgb.DMatrix:
    """Rows with their label. Raises UserError for what is not libsvm."""
    rows = formats.SparseRows()
    rows.add(_text(string_like).splitlines(), "the request")
    return channels.sparse_matrix(rows)


def decode(obj: str | bytes, content_type: str) -> xgb.DMatrix:
    """CSV or libsvm as the content type says. Raises sagemaker_containers' UnsupportedFormatError for any other."""
    media_type = content_type.partition(";")[0].strip().lower()
    decoder = {"text/csv": csv_to_dmatrix, "text/libsvm": libsvm_to_dmatrix, "text/x-libsvm": libsvm_to_dmatrix}.get(
        media_type
    )
    if decoder is None:
        raise _errors.UnsupportedFormatError(media_type)
    return decoder(obj)


def json_to_jsonlines(json_data: dict[str, list[object]] | str) -> bytes:
    """`{"predictions": [...]}` with one entry a line. Raises ValueError where there is not exactly one list."""
    document = json_data if isinstance(json_data, dict) else json.loads(json_data)
    if len(document) != 1:
        raise ValueError("JSON response is not compatible for conversion to jsonlines.")
    return "".join(f"{json.dumps(entry)}\n" for entry in next(iter(document.values()))).encode()


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else bytes(data).decode()
