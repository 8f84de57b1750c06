"""Read a channel's files into a matrix that XGBoost trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xgboost as xgb
from scipy.sparse import csr_matrix

from localpipe_xgboost import formats
from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def data_files(channel: str, directory: Path) -> list[Path]:
    """The files of a channel, hidden ones left out, sorted. Raises UserError if there are none."""
    files = sorted(_visible(directory))
    if not files:
        raise UserError(f"Channel {channel}: there is no file in {directory}.")
    return files


def has_data(directory: Path) -> bool:
    """Whether there is a file in a channel: of a sharded one a host may get none."""
    return any(_visible(directory))


def _visible(directory: Path) -> Iterator[Path]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return (path for path in found if not any(part.startswith(".") for part in path.relative_to(directory).parts))


def matrix(files: Sequence[Path], kind: str, *, weighted: bool, columns: int = 0) -> xgb.DMatrix:
    """A matrix of files of one format. Raises UserError.

    `weighted`: CSV has the row's weight in its second column; `columns`: libsvm has at least this many.
    """
    if kind == formats.CSV:
        return csv_matrix(files, weighted=weighted)
    return parquet_matrix(files) if kind == formats.PARQUET else libsvm_matrix(files, columns)


def csv_matrix(files: Sequence[Path], *, weighted: bool) -> xgb.DMatrix:
    """Label in the first column, then (`weighted`) the row's weight, then the features. Raises UserError."""
    table = pd.concat([_read_csv(path) for path in files], ignore_index=True)
    label_columns = 2 if weighted else 1
    if table.shape[1] <= label_columns:
        raise UserError(f"{files[0]}: {table.shape[1]} columns; it needs the label and at least one feature.")
    values = table.to_numpy(dtype=np.float32)
    weight = values[:, 1] if weighted else None
    return xgb.DMatrix(values[:, label_columns:], label=values[:, 0], weight=weight)


def parquet_matrix(files: Sequence[Path]) -> xgb.DMatrix:
    """Label in the first column, then the features. Raises UserError."""
    try:
        table = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
        values = table.to_numpy(dtype=np.float32)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise UserError(f"{files[0]}: it is no Parquet file of numbers ({error}).") from error
    return xgb.DMatrix(values[:, 1:], label=values[:, 0])


def libsvm_matrix(files: Sequence[Path], columns: int = 0) -> xgb.DMatrix:
    """`columns`: at least this many, so that a validation set fits a wider training set. Raises UserError."""
    rows = formats.SparseRows()
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as lines:
            rows.add(lines, str(path))
    if not rows.labels:
        raise UserError(f"{files[0]}: there is no data in it.")
    return sparse_matrix(rows, columns)


def sparse_matrix(rows: formats.SparseRows, columns: int = 0) -> xgb.DMatrix:
    """`columns`: at least this many. Raises UserError where only some rows have weights or groups."""
    width = max(max(rows.indexes, default=0) + 1, columns)
    shape = (len(rows.labels), width)
    features = csr_matrix((rows.feature_values, rows.indexes, rows.row_starts), shape=shape)
    matrix = xgb.DMatrix(features, label=np.asarray(rows.labels))
    if rows.weights:
        matrix.set_weight(_one_per_row(rows.weights, rows, "weights"))
    if rows.groups:
        matrix.set_group(_group_sizes(_one_per_row(rows.groups, rows, "qid")))
    return matrix


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8", errors="replace") as lines:
        delimiter = formats.delimiter_of(lines.readline())
    try:
        return pd.read_csv(path, sep=delimiter, header=None, dtype=np.float32, skipinitialspace=True)
    except ValueError:  # pandas' own errors for ragged lines and empty files are ValueErrors too
        with path.open(encoding="utf-8", errors="replace") as lines:
            raise UserError(formats.csv_problem(lines, str(path))) from None


def _one_per_row(values: Sequence[float], rows: formats.SparseRows, what: str) -> np.ndarray:
    if len(values) != len(rows.labels):
        raise UserError(f"{len(values)} of {len(rows.labels)} libsvm rows have {what}; all or none must.")
    return np.asarray(values)


def _group_sizes(groups: np.ndarray) -> np.ndarray:
    """How many rows in a row belong to each group."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    return np.diff(starts, append=len(groups))
