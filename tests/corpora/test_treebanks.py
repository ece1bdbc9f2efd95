"""Chunks and trees: what is read of them, and what is wrong with a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hs_env.corpora import load_treebank
from hs_env.errors import HsEnvError

CHUNKS = """He PRP B-NP
reckons VBZ B-VP
a DT B-NP
mid-1990 CD I-NP
don't VB I-VP
. . O
, , O

Yes UH O
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return folder


def test_chunks_are_gold_phrases(tmp_path: Path) -> None:
    bank = load_treebank("conll2000", data_dir=write(tmp_path, "conll2000/test.txt.gz", CHUNKS))
    first, second = bank.sentences
    assert first.words == ("he", "reckons", "a", "mid-1990", "do", "n't", ".", ",")
    assert first.gold_actions == (1, 1, 0, 1, 0, 1, 1, 1)
    assert bank.brackets[0] == {(0, 1), (1, 2), (2, 4), (4, 6), (6, 7), (7, 8)}
    assert (second.words, second.gold_actions) == (("yes",), (1,))
    whole = load_treebank("conll2000", data_dir=tmp_path, tokenisation="split")
    assert whole.sentences[0].words[4] == "don't"
    assert whole.brackets[0] == {(0, 1), (1, 2), (2, 4), (4, 5), (5, 6), (6, 7)}


def test_trees_are_brackets(tmp_path: Path) -> None:
    text = "(3 (2 (2 It) (2 's)) (4 (2 -LRB-) (3 isn't)))\n\n(1 Bad)\n"
    bank = load_treebank("sst", data_dir=write(tmp_path, "sst/dev.trees.txt", text), split="dev")
    first, second = bank.sentences
    assert first.words == ("it", "'s", "(", "is", "n't")
    assert first.gold_actions is None
    assert bank.brackets[0] == {(0, 1), (1, 2), (2, 3), (3, 5), (0, 2), (2, 5), (0, 5)}
    assert (second.words, bank.brackets[1]) == (("bad",), {(0, 1)})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(2 (1 a) (1 b)", "1 brackets are not closed"),
        ("(2 (1 a) (1 b)))", "got '\\)' outside"),
        ("(2 (1 a) ())", "expected a label"),
        ("(2 (1 a) (1))", "has no words"),
        ("(1 a) (1 b)", "expected one whole tree"),
        ("a b", "got 'a' outside"),
    ],
)
def test_broken_trees(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=f"line 2: .*{message}"):
        load_treebank("sst", data_dir=write(tmp_path, "sst/test.trees.txt", f"(1 fine)\n{line}\n"))


@pytest.mark.parametrize("line", ["word O", "word NN X-NP", "word NN B-"])
def test_broken_chunks(tmp_path: Path, line: str) -> None:
    with pytest.raises(HsEnvError, match="line 2: expected a word, its part of speech"):
        load_treebank("conll2000", data_dir=write(tmp_path, "conll2000/test.txt", f"a DT B-NP\n{line}\n"))


def test_missing_treebanks(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="Did you mean 'conll2000'"):
        load_treebank("conll200", data_dir=tmp_path)
    with pytest.raises(HsEnvError, match="give data_dir"):
        load_treebank("sst", data_dir=None)
    with pytest.raises(HsEnvError, match=r"dev split .* there is none"):
        load_treebank("conll2000", data_dir=write(tmp_path, "conll2000/test.txt", CHUNKS), split="dev")
    with pytest.raises(HsEnvError, match="holds no sentences"):
        load_treebank("conll2000", data_dir=write(tmp_path, "conll2000/train.txt", "\n"), split="train")
