"""The data sets of the field, from small files in their layout."""

from pathlib import Path

import pytest

from hs_env.corpora import Corpus, load_corpus
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import SEGMENTATION
from tests.corpora.conftest import WriteRows


@pytest.mark.parametrize(
    ("name", "labels", "counts"),
    [
        ("mr", 2, (32, 4, 4)),
        ("subj", 2, (32, 4, 4)),
        ("cr", 2, (32, 4, 4)),
        ("mpqa", 2, (32, 4, 4)),
        ("trec", 6, (54, 6, 60)),
        ("sst2", 2, (10, 10, 10)),
        ("sst5", 5, (10, 10, 10)),
        ("ag_news", 4, (72, 8, 80)),
        ("ag_news:train=45", 4, (45, 5, 80)),
    ],
)
def test_sizes(data_dir: Path, name: str, labels: int, counts: tuple[int, int, int]) -> None:
    corpus = load_corpus(name, data_dir=data_dir)
    assert tuple(corpus.counts.values()) == counts
    assert len(corpus.labels) == labels
    assert corpus.source


def test_a_part_of_the_news_is_the_first_of_it(data_dir: Path) -> None:
    whole, part = (load_corpus(name, data_dir=data_dir) for name in ("ag_news", "ag_news:train=45"))
    assert part.splits["train"] == whole.splits["train"][:45]
    with pytest.raises(HsEnvError, match="72 training sentences, asked for train=73"):
        load_corpus("ag_news:train=73", data_dir=data_dir)


def test_words_are_those_of_glove(data_dir: Path) -> None:
    assert load_corpus("mr", data_dir=str(data_dir)).splits["train"][0].words[:3] == ("mr", "it", "'s")
    assert load_corpus("sst2", data_dir=data_dir).splits["train"][0].words == ("sst2", "train", "(", "0")


def test_fold_by_argument_or_in_the_name(data_dir: Path) -> None:
    corpus = load_corpus("mr", data_dir=data_dir, fold=9)
    assert [s.words[-1] for s in corpus.splits["test"]] == ["18", "19", "38", "39"]
    assert [s.words[-1] for s in corpus.splits["dev"]] == ["0", "1", "20", "21"]
    assert load_corpus("mr.v1:fold=9", data_dir=data_dir) == corpus


def phrased(corpus: Corpus) -> list[str]:
    """The first test sentence as phrases."""
    sentence = corpus.splits["test"][0]
    assert sentence.gold_actions is not None
    phrases: list[str] = SEGMENTATION.describe(sentence.words, sentence.gold_actions)["phrases"]
    return phrases


@pytest.fixture
def tree_dir(tmp_path: Path, write_rows: WriteRows) -> Path:
    """A folder with sst/: a neutral sentence, which sst2 lacks, and one of nine words."""
    trees = (
        "(2 (2 so) (2 so))\n(4 (2 (2 The) (2 film)) (4 (2 (2 is) (4 (2 n't) (2 (2 a) (2 bore)))) (2 (2 at) (2 all))))\n"
    )
    rows = [("so so", 2), ("The film isn't a bore at all", 4), ("The film isn't a bore at all", 1)]
    sst2 = [(text, int(label > 2)) for text, label in rows if label != 2]
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / "sst" / f"sst5.{split}.jsonl.gz", rows[:2])
        write_rows(tmp_path / "sst" / f"sst2.{split}.jsonl.gz", sst2[:1])
        (tmp_path / "sst" / f"{split}.trees.txt").write_text(trees)
    return tmp_path


def test_phrases_are_the_greatest_subtrees_that_are_short_enough(tree_dir: Path) -> None:
    trees = load_corpus("sst2_trees", data_dir=tree_dir)
    assert phrased(trees) == ["the film", "is", "n't a bore", "at all"]  # 8 words, so at most 3
    plain = load_corpus("sst2", data_dir=tree_dir)
    for split, sentences in plain.splits.items():
        assert [(s.words, s.label) for s in trees.splits[split]] == [(s.words, s.label) for s in sentences]


def test_each_sentence_has_its_own_tree(tree_dir: Path) -> None:
    trees = load_corpus("sst5_trees", data_dir=tree_dir)
    assert phrased(trees) == ["so", "so"]  # 2 words, so at most 1
    (tree_dir / "sst" / "dev.trees.txt").write_text("(2 (2 so) (2 what))\n")
    with pytest.raises(HsEnvError, match="sst, dev lack sentence 0 of 'sst5'"):
        load_corpus("sst5_trees", data_dir=tree_dir)


def test_phrases_of_the_trees_are_trained_on(tree_dir: Path, write_rows: WriteRows) -> None:
    rows = [("so", 2), ("a bore", 0), ("n't a bore", 3), ("The film isn't a bore at all", 4), ("The film", 2)]
    write_rows(tree_dir / "sst" / "sst5.train_phrases.jsonl.gz", rows)
    two, five = (load_corpus(name, data_dir=tree_dir) for name in ("sst2_phrases", "sst5_phrases"))
    assert [(" ".join(s.words), s.label) for s in two.splits["train"]] == [("a bore", 0), ("n't a bore", 1)]
    assert [(" ".join(s.words), s.label) for s in five.splits["train"]] == [
        ("so", 2), ("a bore", 0), ("n't a bore", 3), ("the film", 2),
    ]  # fmt: skip
    assert two.splits["test"] == load_corpus("sst2", data_dir=tree_dir).splits["test"]
    for label in (5, "good"):
        write_rows(tree_dir / "sst" / "sst5.train_phrases.jsonl.gz", [("so", label)])
        with pytest.raises(HsEnvError, match=rf"train_phrases.*the label is {str(label)!r}, expected one of very neg"):
            load_corpus("sst2_phrases", data_dir=tree_dir)


def test_missing_data(tmp_path: Path, data_dir: Path) -> None:
    with pytest.raises(HsEnvError, match="data_dir, the folder that holds mr/"):
        load_corpus("mr")
    with pytest.raises(HsEnvError, match="no such folder; check data_dir"):
        load_corpus("sst2", data_dir=tmp_path)
    (data_dir / "sst" / "sst5.dev.jsonl.gz").unlink()
    with pytest.raises(HsEnvError, match=r"no file sst5.dev.jsonl.gz"):
        load_corpus("sst5", data_dir=data_dir)
