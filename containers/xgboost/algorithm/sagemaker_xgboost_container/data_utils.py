"""Channels as matrices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localpipe_xgboost import channels, formats
from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    import xgboost as xgb

CSV, LIBSVM, PARQUET = formats.CSV, formats.LIBSVM, formats.PARQUET


def get_content_type(content_type_cfg_val: str | None) -> str:
    """`text/csv; label_size=1` → `csv`; None is libsvm. Raises UserError for what is not supported."""
    return formats.format_of(content_type_cfg_val, "data")


def get_dmatrix(
    data_path: str | list[str],
    content_type: str,
    csv_weights: int = 0,
    is_pipe: bool = False,  # noqa: FBT001, FBT002 - AWS's signature
) -> xgb.DMatrix | None:
    """The files below a path, or below several; None where there is no such path (a channel that the job does not have).

    `csv_weights` 1: the second column holds the weights. Raises UserError.
    """
    if is_pipe:
        raise UserError("Pipe mode is not supported by localpipe's stand-in: give the channel in File or FastFile mode.")
    paths = [Path(path) for path in ([data_path] if isinstance(data_path, str) else data_path or ())]
    if not all(path.exists() for path in paths) or not paths:
        return None
    files = [file for path in paths for file in ([path] if path.is_file() else channels.data_files(path.name, path))]
    return channels.matrix(files, get_content_type(content_type), weighted=csv_weights == 1)


def get_csv_dmatrix(path: str, csv_weights: int, is_pipe: bool = False) -> xgb.DMatrix | None:  # noqa: FBT001, FBT002 - AWS's
    """`get_dmatrix` of CSV."""
    return get_dmatrix(path, CSV, csv_weights, is_pipe)


def get_libsvm_dmatrix(files_path: str, is_pipe: bool = False) -> xgb.DMatrix | None:  # noqa: FBT001, FBT002 - AWS's
    """`get_dmatrix` of libsvm."""
    return get_dmatrix(files_path, LIBSVM, is_pipe=is_pipe)


def get_parquet_dmatrix(path: str, is_pipe: bool = False) -> xgb.DMatrix | None:  # noqa: FBT001, FBT002 - AWS's
    """`get_dmatrix` of Parquet."""
    return get_dmatrix(path, PARQUET, is_pipe=is_pipe)


def get_size(data_path: str, is_pipe: bool = False) -> int:  # noqa: FBT001, FBT002 - AWS's signature
    """Bytes of the files below a path, 0 where there is none; 1 for a channel in Pipe mode."""
    path = Path(data_path)
    if is_pipe and path.with_name(f"{path.name}_0").exists():
        return 1
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def validate_data_file_path(data_path: str, content_type: str) -> None:
    """Raises UserError for a path that is not there or a content type that is not supported; files are judged when read."""
    get_content_type(content_type)
    if not Path(data_path).exists():
        raise UserError(f"{data_path} is not a valid path!")
