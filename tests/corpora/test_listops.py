"""ListOps: values and trees against a parser of its own, settings, splits, public files."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from hs_env.corpora import Corpus, load_corpus
from hs_env.corpora.listops import DIGITS, OPERATORS
from hs_env.errors import HsEnvError
from hs_env.problems.composition import COMPOSITION
from hs_env.types import Sentence

SMALL = "train=60,dev=20,test=20"


def evaluate(words: Sequence[str]) -> int:
    """The value of an expression, which `eval` computes from a translation to Python."""
    names = {"[MAX": "max([", "[MIN": "min([", "[MED": "median([", "[SM": "modulo([", "]": "]),"}

    def median(values: list[int]) -> int:
        ordered = sorted(values)
        return math.floor((ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2)

    text = "".join(names.get(word, f"{word},") for word in words).rstrip(",")
    value: int = eval(text, {"median": median, "modulo": lambda values: sum(values) % 10})
    return value


def tree_of(words: Sequence[str]) -> str:
    """The gold tree with brackets, made recursively."""

    def read(at: int) -> tuple[str, int]:
        if words[at] not in OPERATORS:
            return words[at], at + 1
        text, at = words[at], at + 1
        while words[at] != "]":
            argument, at = read(at)
            text = f"({text} {argument})"
        return f"({text} ])", at + 1

    return read(0)[0]


def nesting(words: Sequence[str]) -> int:
    depth = deepest = 0
    for word in words:
        depth += (word in OPERATORS) - (word == "]")
        deepest = max(deepest, depth)
    return deepest


def sentences(corpus: Corpus) -> list[Sentence]:
    return [sentence for split in corpus.splits.values() for sentence in split]


@pytest.mark.parametrize("name", ["listops", "listops_short", "listops_args", "listops_long"])
def test_values_and_trees(name: str) -> None:
    corpus = load_corpus(f"{name}:{SMALL}")
    for sentence in sentences(corpus):
        assert sentence.gold_actions is not None
        assert sentence.label == evaluate(sentence.words)
        assert COMPOSITION.describe(sentence.words, sentence.gold_actions)["tree"] == tree_of(sentence.words)
    assert corpus.labels == DIGITS
    assert {word for sentence in sentences(corpus) for word in sentence.words} == {*OPERATORS, "]", *DIGITS}


def test_settings() -> None:
    settings = "depth=3,shortest=6,longest=20,arguments=3,digits=4,test_shortest=10"
    corpus = load_corpus(f"listops:{settings},{SMALL}")
    assert corpus.labels == DIGITS[:4]
    assert corpus.counts == {"train": 60, "dev": 20, "test": 20}
    for split, shortest in (("train", 6), ("dev", 10), ("test", 10)):
        for sentence in corpus.splits[split]:
            assert shortest <= len(sentence.words) <= 20
            assert nesting(sentence.words) <= 3
            assert not {*sentence.words} & {*DIGITS[4:]}
    assert {nesting(sentence.words) for sentence in sentences(corpus)} >= {2, 3}


def test_long_and_wide_test_expressions() -> None:
    usual = load_corpus(f"listops:{SMALL}")
    long, wide = (load_corpus(f"{name}:{SMALL}") for name in ("listops_long", "listops_args"))
    for corpus in (long, wide):
        assert corpus.splits["train"] == usual.splits["train"]
        assert corpus.splits["dev"] == usual.splits["dev"]
    assert all(200 <= len(sentence.words) <= 300 for sentence in long.splits["test"])
    assert max(max(_arguments(sentence.words)) for sentence in usual.splits["test"]) == 5
    assert 5 < max(max(_arguments(sentence.words)) for sentence in wide.splits["test"]) <= 10


def _arguments(words: Sequence[str]) -> list[int]:
    counts, stack = [], [0]
    for word in words:
        if word in OPERATORS:
            stack.append(0)
        elif word == "]":
            counts.append(stack.pop())
            stack[-1] += 1
        else:
            stack[-1] += 1
    return counts


def test_equal_settings_give_equal_expressions_and_larger_corpora_begin_with_smaller_ones() -> None:
    one, more, other = (
        load_corpus(f"listops_short:train={n},dev=9,test=9,seed={s}") for n, s in ((50, 0), (80, 0), (50, 1))
    )
    assert one.splits == load_corpus("listops_short:train=50,dev=9,test=9,seed=0").splits
    assert more.splits["train"][:50] == one.splits["train"]
    assert other.splits["train"] != one.splits["train"]


def test_no_expression_is_in_two_splits_or_twice_in_one() -> None:
    """Whatever seeds, settings and sizes are: here there are few expressions."""
    corpora = [
        load_corpus(f"listops:depth=1,longest=4,test_shortest=4,train=250,dev=20,test=20,seed={seed}")
        for seed in (0, 1)
    ]
    for corpus in corpora:
        words = {split: {sentence.words for sentence in corpus.splits[split]} for split in corpus.splits}
        assert {split: len(found) for split, found in words.items()} == corpus.counts
        for other in corpora:
            assert not words["train"] & {
                sentence.words for split in ("dev", "test") for sentence in other.splits[split]
            }


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("depth=0", "depth must be a whole number from 1 to 24, got 0"),
        ("depth=25", "depth must be"),
        ("arguments=1", "arguments must be"),
        ("digits=11", "digits must be a whole number from 2 to 10"),
        ("longest=3,test_shortest=3", "longest must be"),
        ("longest=10", "test_shortest must be at most longest, 10, got 20"),
        ("train=0", "train from 1"),
        ("test=1000000000", "all up to 10,000,000"),
        ("depth=1,longest=4,test_shortest=4,digits=2,train=20", "no new one of 4 to 4 words"),
        ("width=3", "has no setting 'width'"),
    ],
)
def test_wrong_settings(settings: str, fault: str) -> None:
    with pytest.raises(HsEnvError, match=fault):
        load_corpus(f"listops:{settings}")


# Files

AUTHORS = "9\t( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )\n3\t3\n"
ARENA = "Source\tTarget\n( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )\t9\n3\t3\n"
FLAT = "9\t[MAX 2 9 [MIN 4 7 ] ]\n\n3\t3\n"
READ = (
    Sentence(tuple("[MAX 2 9 [MIN 4 7 ] ]".split()), 9, (0, 1, 1, 0, 1, 1, 2, 1)),
    Sentence(("3",), 3, (0,)),
)


def write(folder: Path, **texts: str) -> Path:
    (folder / "listops").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / "listops" / f"{name}.tsv").write_text(text)
    return folder


def test_public_files(tmp_path: Path) -> None:
    folder = write(tmp_path, train_d20s=AUTHORS, basic_val=ARENA)
    with gzip.open(folder / "listops" / "test.tsv.gz", "wt") as stream:
        stream.write(FLAT)
    corpus = load_corpus("listops_files", data_dir=folder)
    assert corpus.splits == {"train": READ, "dev": READ, "test": READ}
    assert corpus.problem == "composition"


def test_another_tree_in_brackets(tmp_path: Path) -> None:
    write(tmp_path, train="2\t( [MAX ( ( 1 2 ) ] ) )\n", test=FLAT, dev=FLAT)
    (sentence,) = load_corpus("listops_files", data_dir=tmp_path).splits["train"]
    assert sentence.gold_actions == (0, 0, 1, 2)


def test_without_dev_a_tenth_of_train_is_dev(tmp_path: Path) -> None:
    write(tmp_path, train=FLAT + "".join(f"{n % 10}\t[MAX {n % 10} {n % 10} ]\n" for n in range(10)), test=FLAT)
    corpus = load_corpus("listops_files", data_dir=tmp_path)
    assert corpus.counts["dev"] > 0
    assert corpus.counts["train"] + corpus.counts["dev"] == 12


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("9\t[MAX 2 nine ]\n", "line 1: 'nine' is no word of ListOps"),
        ("9\t[MAX 2 9 ]\nx\t[MAX 2 9 ]\n", "line 2: expected a value from 0 to 9"),
        ("9\t[MAX 2 9 ]\t1\n", "line 1: expected a value"),
        ("9\t) 3\n", r"'\)' is no word"),
        ("1\t( [MAX 1 ) ) ]\n", "action 1 is REDUCE_TWICE .2., which is not legal there"),
        ("9\t\n", "it has no words"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(HsEnvError, match=fault):
        load_corpus("listops_files", data_dir=write(tmp_path, train=text, test=FLAT, dev=FLAT))


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="give data_dir"):
        load_corpus("listops_files")
    with pytest.raises(HsEnvError, match="give data_dir"):
        load_corpus("listops_files", data_dir=tmp_path)
    with pytest.raises(HsEnvError, match=r"no file .test"):
        load_corpus("listops_files", data_dir=write(tmp_path, train=FLAT))
    with pytest.raises(HsEnvError, match="expected one test file"):
        load_corpus("listops_files", data_dir=write(tmp_path, test_a=FLAT, test_b=FLAT))
