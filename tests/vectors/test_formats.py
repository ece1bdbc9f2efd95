"""Files of word vectors as the world writes them: what is read, what is refused, and in how much memory."""

import gzip
import io
import os
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hs_env.errors import HsEnvError
from hs_env.vectors import load_vectors
from hs_env.vectors.feature_store import FeatureStore

WORDS = ["<pad>", "<unk>", "the", "movie"]
TEXT = "the 0.5 -2\nmovie 3 4e0\n"
VALUES = np.array([[0.5, -2], [3, 4]], np.float32)


def read(path: Path, words: tuple[str, ...] = ("the", "movie")) -> np.ndarray:
    """Return the vectors of words that must all be found."""
    vectors = load_vectors(path, [*WORDS[:2], *words], seed=0)
    assert vectors.found[2:].all()
    return vectors.matrix[2:]


def write(path: Path, data: str | bytes) -> Path:
    data = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)
    return path


def binary(words: tuple[str | bytes, ...] = ("the", "movie"), vectors: np.ndarray = VALUES, header: str = "") -> bytes:
    data = (header or f"{len(words)} {vectors.shape[1]}\n").encode()
    for word, vector in zip(words, vectors, strict=True):
        data += (word.encode() if isinstance(word, str) else word) + b" " + vector.astype("<f4").tobytes() + b"\n"
    return data


def archive(path: Path, vectors: np.ndarray = VALUES, words: str = "the\nmovie\n", name: str = "vectors") -> Path:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **{name: vectors})
    write(path, stream.getvalue())
    stem = path.name[: path.name.lower().index(".npz")]
    (path.parent / f"{stem}.words.txt").write_text(words, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.vec", "a.VEC", "a.vec.gz", "A.TXT.GZ", "a.bin", "A.Bin.Gz"])
@pytest.mark.parametrize("header", ["", "2 2\n"])
def test_text_by_every_name(tmp_path: Path, name: str, header: str) -> None:
    if header or ".bin" not in name.lower():  # a binary file has a header; one that holds text is read as text
        np.testing.assert_array_equal(read(write(tmp_path / name, header + TEXT)), VALUES)


@pytest.mark.parametrize("name", ["a.bin", "A.BIN", "a.bin.gz"])
def test_binary_by_every_name(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(read(write(tmp_path / name, binary())), VALUES)


@pytest.mark.parametrize("name", ["a.npz", "A.NPZ", "a.npz.gz"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2", "i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_archive_by_every_name(tmp_path: Path, name: str, dtype: str, order: str) -> None:
    values = np.asarray(np.round(VALUES), dtype=dtype, order=order)  # type: ignore[call-overload]
    np.testing.assert_array_equal(read(archive(tmp_path / name, values)), np.round(VALUES))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.bin.gz"])
def test_a_file_that_a_browser_unpacked_keeps_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(TEXT.encode() if "txt" in name else binary())
    np.testing.assert_array_equal(read(path), VALUES)


@pytest.mark.parametrize(
    "data",
    [
        TEXT + "\n",
        TEXT + "\n\n  \n",
        "\n" + TEXT,
        TEXT.rstrip("\n"),
        TEXT.replace(" ", "\t"),
        TEXT.replace(" ", "  "),
        TEXT.replace("\n", " \n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        "\ufeff" + TEXT,
        "\ufeff2 2\r\n" + TEXT,
        "2\t2\n" + TEXT,
        "1 2\n" + TEXT,  # `wc -l` of a file without a last line end, as headers are added by hand
        TEXT + "the 9 9\n",
        "new york 2 3\n" + TEXT,
        TEXT + ". . . 2 3\nroute 66 0.2 0.3\n 0.1 0.2\n",
        "\u00a0 7 7\n\u2028 8 8\nx\x85y 1 1\n" + TEXT,
    ],
)
def test_text_as_the_world_writes_it(tmp_path: Path, data: str) -> None:
    np.testing.assert_array_equal(read(write(tmp_path / "a.txt", data)), VALUES)


def test_text_of_width_one(tmp_path: Path) -> None:
    for data in ("the 1\nmovie 2\n", "2 1\nthe 1\nmovie 2\n", "5 3\nthe 1\nmovie 2\n"):
        np.testing.assert_array_equal(read(write(tmp_path / "a.txt", data)), [[1], [2]])


def test_a_phrase_is_a_word_of_a_text_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TEXT + "new york 5 6\n")
    np.testing.assert_array_equal(read(path, ("new york",)), [[5, 6]])


def test_numbers_have_the_bits_of_python_floats(tmp_path: Path) -> None:
    numbers = [repr(value) for value in np.random.default_rng(0).normal(size=1000).tolist()]
    path = write(tmp_path / "a.txt", f"the {' '.join(numbers)}\n")
    np.testing.assert_array_equal(read(path, ("the",))[0], np.array(numbers, np.float32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "holds no word vectors"),
        ("\n \n", "holds no word vectors"),
        ("the\nmovie\n", "line 1: 0 numbers after the word, expected some"),
        ("the 1\nmovie 2 3\nx 4 5\n", "line 1: 1 numbers after the word, expected 2 as on line 2"),
        ("the 1\nmovie 2 3\n", "line 1: 1 numbers after the word, expected 2 as on line 2; a header would be"),
        ("the 1 2 3\nmovie 2 3\nx 4 5\n", "line 1: 3 numbers after the word, expected 2"),
        ("the 1 z\nmovie 2 3\nx 4 5\n", "line 1: 0 numbers after the word, expected 2"),
        ("the 1 2\nmovie 2 3 4\nx 4 5\n", "line 2: 3 numbers after the word, expected 2"),
        ("the 1 2\nmovie 2\nx 4 5\n", "line 2: 1 numbers after the word, expected 2"),
        (TEXT * 9 + "x 1\n", "line 19: 1 numbers after the word, expected 2"),
        (TEXT * 9 + "x 1 2 3\n", "line 19: 3 numbers after the word, expected 2"),
        ("2 3\n" + TEXT, "line 1: the header says width 3, but the lines after it have 2 numbers"),
        ("1000 2\n" + TEXT, "promises 1,000 words of width 2, but the file is too small"),
        ("3 2\nthe 1.000 2.000\nmovie 1.000 2.000\n", "promises 3 words, but the file holds 2. It is cut short"),
        ("300000000000 2\n" + TEXT, "too small for them"),
        ("2 300000000000\n" + TEXT, "width 1 to 100,000, got width 300,000,000,000"),
        ("2 0\nthe\nmovie\n", "width 1 to 100,000, got width 0"),
        ("0 2\n", "no word vectors, says its header"),
        ("-2 2\n" + TEXT, "line 1: 1 numbers after the word, expected 2 .* a header would be two whole numbers"),
        ("two 2\n" + TEXT, "line 1: 1 numbers after the word"),
        ("2.0 2\n" + TEXT, "line 1: 1 numbers after the word"),
        ("9" * 5000 + " 2\n" + TEXT, "line 1: 1 numbers after the word"),
        ("2\n" + TEXT, "line 1: 0 numbers after the word"),
        (TEXT.replace("4e0", "nan"), "line 2: the vector of 'movie' holds values that are not finite"),
        (TEXT.replace("4e0", "-INF"), "line 2: the vector of 'movie' holds values that are not finite"),
        (TEXT.replace("4e0", "1e39"), "line 2: the vector of 'movie' holds values that are not finite"),
        (TEXT.replace("4e0", "1e19"), "line 2: the vector of 'movie' holds values that are not finite or beyond 1e.15"),
        (TEXT.replace("4e0", "1_0"), "line 2: expected a word and 2 numbers, got '1_0' among them"),
        (TEXT.replace("4e0", "0,5"), "line 2: expected a word and 2 numbers, got '0,5' among them"),
        (TEXT.encode("utf-16"), "is text in UTF-16"),
        (TEXT.encode() + "caf\xe9 1 2\n".encode("latin-1"), "line 3: not UTF-8"),
        (binary(), "not text: .* The binary word2vec format ends in .bin"),
        (b"PK\x03\x04" + bytes(99), "is a zip archive. Unpack it"),
        (gzip.compress(b"PK\x03\x04" + bytes(99), mtime=0), "is a zip archive. Unpack it"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "broken or truncated gzip"),
        (b"\x80\x04\x95" + bytes(99), "is a Python pickle, which is never opened"),
        (b"x" * (5 << 20), "line 1: more than 4 MiB in one line"),
    ],
)
def test_refused_text(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(HsEnvError, match=f"a.txt.*{message}"):
        load_vectors(write(tmp_path / "a.txt", data), WORDS, seed=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (binary(header="300000000000 2\n"), "promises 300,000,000,000 words .* too small"),
        (gzip.compress(binary(header="300000000000 2\n"), mtime=0), "promises 300,000,000,000 words .* too small"),
        (binary(header="4 2\n"), "promises 4 words .* too small"),
        (binary(header="3 2\n"), "word 3 of 3 is incomplete"),
        (binary(header="2 300000000000\n"), "width 1 to 100,000"),
        (binary(header="2 2147483648\n"), "width 1 to 100,000"),
        (binary(header="2 0\n"), "width 1 to 100,000, got width 0"),
        (binary(header="0 2\n"), "no word vectors"),
        (binary(header="-2 2\n"), "expected a header of two whole numbers, words and width, got '-2 2'"),
        (binary(header="2 -2\n"), "expected a header of two whole numbers"),
        (binary(header="two 2\n"), "expected a header of two whole numbers"),
        (binary(header="2.5 2\n"), "expected a header of two whole numbers"),
        (binary(header="2\n"), "expected a header of two whole numbers"),
        (binary(header="9" * 5000 + " 2\n"), "expected a header of two whole numbers"),
        (b"", "expected a header of two whole numbers"),
        (binary(header="1 2\n"), "more data after the 1 words of the header"),
        (binary() + b"x", "more data after the 2 words of the header"),
        (binary(("the" * 99, "movie"))[:-9], "word 2 of 2 is incomplete"),
        (b"2 2\n" + b"x" * 100_000, "word 1 of 2 is incomplete"),
        (gzip.compress(binary(), mtime=0)[:-9], "broken or truncated gzip"),
        (binary(vectors=VALUES * np.float32(np.nan)), "word 1: the vector of 'the' holds values that are not finite"),
        (binary(("the", "caf\xe9".encode("latin-1"))), "1 words are not UTF-8"),
        (b"\xba\x16\x4f\x2f" + bytes(99), "is a fastText model. Give .* the .vec file"),
        (b"\x80\x04\x95" + bytes(99), "is a Python pickle, which is never opened"),
        (TEXT, "expected a header of two whole numbers, words and width, got 'the 0.5 -2'"),
    ],
)
def test_refused_binary(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(HsEnvError, match=f"a.bin.*{message}"):
        load_vectors(write(tmp_path / "a.bin", data), WORDS, seed=0)


def test_binary_details(tmp_path: Path) -> None:
    entries = ("the", "movie", "the", "na\u00efve", "na\u00efvet\u00e9".encode()[:-1], "")
    vectors = np.vstack([VALUES, VALUES * 9, VALUES])
    plain = binary(entries, vectors)
    ends = plain.replace(b"\n", b"", 2).replace(b"6 2", b"6 2\r\n", 1)  # no line end after some vectors
    for data in (plain, ends, b"\xef\xbb\xbf" + plain):
        np.testing.assert_array_equal(read(write(tmp_path / "a.bin", data)), VALUES)


def reversion(path: Path) -> None:
    """Change the version needed to unpack, in both headers of the archive."""
    data = bytearray(path.read_bytes())
    data[4:6] = b"\xff\x00"
    at = data.index(b"PK\x01\x02")
    data[at + 6 : at + 8] = b"\xff\x00"
    path.write_bytes(data)


def test_refused_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"

    def refused(message: str) -> None:
        with pytest.raises(HsEnvError, match=rf"a.npz{message}"):
            load_vectors(path, WORDS, seed=0)

    reversion(archive(path))
    refused(r": expected a numpy archive .*\(zip file version 25.5\)")
    archive(path, name="other")
    refused(": expected a numpy archive with the array 'vectors' .*its arrays: other")
    archive(path, VALUES.astype(object))
    refused(": expected vectors of floats, got Python objects, which are never opened")
    archive(path, VALUES.astype(complex))
    refused(": expected vectors of floats, got the dtype complex")
    archive(path, VALUES[0])
    refused(r": expected 2 rows, one per word of a.words.txt, got the shape \(2,\)")
    archive(path, VALUES[:, :0])
    refused(": expected vectors of width 1 to 100,000, got width 0")
    archive(path, VALUES * np.float32(np.inf))
    refused(", row 1: .*'the' holds values that are not finite")
    archive(path, VALUES.astype(np.float64) * 1e300)
    refused(", row 1: .*'the' holds values that are not finite")
    for shape in ("(2, 2147483648)", "(2147483648, 2)", "(2, 99999)", "(2, -1)"):
        with zipfile.ZipFile(path, "w") as each:
            header = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s}\n" % shape.encode()
            each.writestr("vectors.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16))
        refused(": expected ")
    archive(path, words="")
    with pytest.raises(HsEnvError, match=r"a.words.txt: the file holds no words"):
        load_vectors(path, WORDS, seed=0)


def test_word_lists(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", np.vstack([VALUES, VALUES * 9]), "\ufeffthe\r\nmovie\r\nthe\r\nother\r\n\r\n")
    np.testing.assert_array_equal(read(path), VALUES)


@pytest.mark.parametrize("kind", ["txt", "bin", "npz"])
def test_accents(tmp_path: Path, kind: str) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for stored, wanted in ((composed, decomposed), (decomposed, composed), (decomposed, "Caf\u00c9")):
        path = tmp_path / f"a.{kind}"
        if kind == "txt":
            write(path, f"{stored} 0.5 -2\nmovie 3 4\n")
        elif kind == "bin":
            write(path, binary((stored, "movie")))
        else:
            archive(path, words=f"{stored}\nmovie\n")
        np.testing.assert_array_equal(read(path, (wanted, "movie")), VALUES)
    both = write(tmp_path / "both.txt", f"{decomposed} 1 1\n{composed} 2 2\n")
    np.testing.assert_array_equal(read(both, (composed, decomposed)), [[2, 2], [1, 1]])


def many(folder: Path, words: int, width: int) -> list[Path]:
    vectors = np.random.default_rng(0).standard_normal((words, width), np.float32)
    names = [f"w{index}" for index in range(words)]
    lines = "\n".join(f"{name} {' '.join(['0.25'] * width)}" for name in names)
    return [
        write(folder / "a.txt", lines),
        write(folder / "a.bin", binary(tuple(names), vectors)),
        archive(folder / "a.npz", vectors, "\n".join(names)),
        archive(folder / "b.npz", np.asfortranarray(vectors), "\n".join(names)),
    ]


def test_memory_grows_with_the_words_wanted(tmp_path: Path) -> None:
    wanted = tuple(f"w{index}" for index in range(0, 5_000, 50))
    for path in many(tmp_path, 5_000, 800):  # 16 MB as float32
        tracemalloc.start()
        read(path, wanted)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8_000_000, path


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_mutated_files_are_read_or_refused(tmp_path: Path, kind: int) -> None:
    path = many(tmp_path, 20, 3)[kind]
    data, generator = path.read_bytes(), random.Random(kind)
    edits: list[Callable[[bytearray, int], None]] = [
        lambda each, at: each.__setitem__(at, generator.randrange(256)),
        lambda each, at: each.__delitem__(slice(at, None)),
        lambda each, at: each.__delitem__(slice(at, at + generator.randrange(1, 9))),
        lambda each, at: each.__setitem__(slice(at, at), generator.randbytes(generator.randrange(1, 9))),
        lambda each, at: each.__setitem__(at % 12, generator.choice(b"0123456789- \n\0")),
    ]
    refused = 0
    for _ in range(300):
        mutated = bytearray(data)
        for _ in range(generator.randrange(1, 4)):
            generator.choice(edits)(mutated, generator.randrange(max(1, len(mutated) - 1)))
            mutated = mutated or bytearray(b"\n")
        path.write_bytes(mutated)
        try:
            load_vectors(path, [*WORDS[:2], "w1", "w19"], seed=0)
        except HsEnvError:
            refused += 1
    assert refused > 30


def test_paths_of_any_kind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vec", TEXT)
    for spec in (path, str(path)):
        assert load_vectors(spec, WORDS, seed=0).found[2:].all()
    for folder in (tmp_path, str(tmp_path)):
        assert load_vectors("a.vec", WORDS, seed=0, data_dir=folder).found[2:].all()
    for spec in ("x" * 5000 + ".txt", "a\0b.txt", "."):
        with pytest.raises(HsEnvError, match=r"no file of word vectors|Unknown word vectors|contains a NUL character"):
            load_vectors(spec, WORDS, seed=0)
    with pytest.raises(HsEnvError, match="width from 1 to 100,000, got 'random:999999999999'"):
        load_vectors("random:999999999999", WORDS, seed=0)


def test_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "HS_ENV_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # of no user
    with pytest.raises(HsEnvError, match=r"Set HS_ENV_CACHE to a folder .* or set XDG_CACHE_HOME or HOME"):
        FeatureStore("x", 4)
    for spec in ("~/a.txt", "~/a.txt,~/b.txt"):
        with pytest.raises(HsEnvError, match=r"home folder in .* is unknown. Set HOME"):
            load_vectors(spec, WORDS, seed=0)
    with pytest.raises(HsEnvError, match="Set HOME"):
        load_vectors("a.txt", WORDS, seed=0, data_dir="~/data")
    monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path))
    with FeatureStore("x", 4):
        pass


def test_a_file_of_another_kind_is_named_whatever_its_ending(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    with pytest.raises(HsEnvError, match=r"a\.npy is a single NumPy array\. Save it as"):
        load_vectors(tmp_path / "a.npy", WORDS, seed=0)
    (tmp_path / "b.csv").write_text(TEXT)
    with pytest.raises(HsEnvError, match=r"Unknown word vectors .*b\.csv"):
        load_vectors(tmp_path / "b.csv", WORDS, seed=0)
