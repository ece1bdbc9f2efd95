"""Texts for language models: what is read, how it is cut, what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.language import TEXTS, load_text
from hs_env.language.texts import Text, encode
from tests.language.builders import write


def test_treebank_characters_are_joined(tmp_path: Path) -> None:
    for split, line in (("train", " a _ c a t\n"), ("valid", "a _ b\n"), ("test", " c a b \n")):
        with gzip.open(tmp_path / f"ptb.char.{split}.txt.gz", "wt") as file:
            file.write(line * 2)
    (tmp_path / "ptb").mkdir()
    for path in list(tmp_path.glob("*.gz")):
        path.rename(tmp_path / "ptb" / path.name)
    text = load_text("ptb", tmp_path)
    assert (text.train, text.dev, text.test) == ("a cat\na cat\n", "a b\na b\n", "cab\ncab\n")
    assert text.alphabet == "\n abct"


def test_spaces_are_removed_and_word_ends_kept(tmp_path: Path) -> None:
    path = write(tmp_path, b"a cat\nthe  dog sat\nno\n" * 40)
    text, whole = load_text(f"{path}:spaces=no"), load_text(path)
    assert text.test == whole.test.replace(" ", "")
    assert whole.word_ends("test") is None
    ends = text.word_ends("test")
    assert ends is not None
    assert len(ends) == len(text.test)
    words, word = [], ""
    for character, end in zip(text.test, ends.tolist(), strict=True):
        word += character
        if end:
            words.append(word.strip("\n"))
            word = ""
    assert words + [word.strip("\n")] * (word != "\n") == whole.test.split()
    assert load_text(f"{path}:spaces=yes") == whole
    with pytest.raises(HsEnvError, match="spaces must be yes or no"):
        load_text(f"{path}:spaces=few")


def test_a_file_is_cut_in_order(text_file: Path) -> None:
    text = load_text(str(text_file))
    assert text.train + text.dev + text.test == text_file.read_text()
    assert [len(part) for part in (text.train, text.dev, text.test)] == [8100, 450, 450]


def test_the_built_in_text_needs_no_files() -> None:
    assert len(load_text("phrases").train) > 100_000


def test_a_name_goes_before_a_file_and_may_have_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "phrases").write_text("fox " * 50)
    monkeypatch.chdir(tmp_path)
    assert load_text("phrases") == load_text("phrases.v1") != load_text("./phrases")


def test_gzip_makes_no_difference(text_file: Path, tmp_path: Path) -> None:
    packed = write(tmp_path, gzip.compress(text_file.read_bytes()), "fox.txt.gz")
    plain, unpacked = load_text(str(text_file)), load_text(str(packed))
    assert (plain.train, plain.dev, plain.test) == (unpacked.train, unpacked.dev, unpacked.test)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_line_ends_make_no_difference(end: bytes, tmp_path: Path) -> None:
    lines = [b"the cat", b"sat on", b"the mat"] * 20
    plain = load_text(str(write(tmp_path, b"\n".join(lines))))
    other = load_text(str(write(tmp_path, end.join(lines), "other.txt")))
    assert (plain.train, plain.dev, plain.test) == (other.train, other.dev, other.test)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: load_text("ptb"), "give data_dir"),
        (lambda path: load_text("ptb", path), "does not exist. Check data_dir"),
        (lambda path: load_text("ptbb", path), "Did you mean 'ptb.v1'"),
        (lambda path: load_text("ptb.v2", path), "Unknown text 'ptb.v2'"),
        (lambda path: load_text("phrases:noise=0.1"), "Unknown text 'phrases:noise=0.1'"),
        (lambda path: load_text("ptb.v1", path), "read from .*ptb.char.train"),
        (lambda path: load_text(str(path / "none.txt")), "cannot be read"),
        (lambda path: load_text(str(write(path, b""))), "train part of the text 'a.txt'"),
        (lambda path: load_text(str(write(path, "caf\xe9 ".encode("latin-1") * 50))), "not UTF-8"),
        (lambda path: load_text(str(write(path, "fox ".encode("utf-16-le") * 50))), "line 1: it holds a NUL byte"),
        (lambda path: load_text(str(write(path, gzip.compress(b"fox " * 500)[:-9], "cut.txt.gz"))), "truncated gzip"),
        (lambda path: Text.cut("short", "abc"), "fewer than 2 characters"),
        (
            lambda path: Text("bytes", b"abc", "abc", "abc"),
            "The train part of the text 'bytes' must be a str .* got a bytes",
        ),
        (lambda path: Text("half", "abc", "abc\udc80", "abc"), "The dev part .* got halves of surrogate pairs"),
        (lambda path: encode("aß", "abc"), "'ß' is not among the 3"),
    ],
)
def test_impossible_texts_are_refused(call, message: str, tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=message):
        call(tmp_path)


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (3, "The function of the text 'mine' must return a Text, got 3"),
        (lambda data_dir: "abc", "The function of the text 'mine' must return a Text, got 'abc'"),
        (lambda: None, "The function of the text 'mine' failed: TypeError: .*It gets one argument"),
        (lambda data_dir: 1 / 0, "The function of the text 'mine' failed: ZeroDivisionError"),
    ],
)
def test_wrong_texts_of_plug_ins_are_named(builder, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TEXTS, "_entries", {**TEXTS._entries})
    TEXTS.register("mine.v1")(builder)
    with pytest.raises(HsEnvError, match=message):
        load_text("mine")
