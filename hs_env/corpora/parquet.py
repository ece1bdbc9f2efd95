"""Read the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hs_env.corpora.delimited import Record, Wanted, check_columns
from hs_env.errors import HsEnvError


def parquet_rows(path: Path, wanted: Wanted) -> Iterator[Record]:
    """Yield the rows of a Parquet file, counted from 1.

    Raises:
        HsEnvError: If the file cannot be read, or a wanted column is missing.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            check_columns(path, 1, file.schema_arrow.names, wanted)
            rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
            yield from enumerate(rows, 1)
    except (OSError, ArrowException) as error:
        raise HsEnvError(f"{path}: cannot be read as Parquet ({error}).") from error
