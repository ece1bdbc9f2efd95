"""The data sets of the field, from small files in their layout."""

from pathlib import Path

import pytest

from hs_env.corpora import load_corpus
from hs_env.types import HsEnvError


@pytest.mark.parametrize(
    ("name", "labels", "counts"),
    [
        ("mr", 2, (32, 4, 4)),
        ("subj", 2, (32, 4, 4)),
        ("sst2", 2, (10, 10, 10)),
        ("sst5", 5, (10, 10, 10)),
        ("ag_news", 4, (72, 8, 80)),
    ],
)
def test_sizes(data_dir: Path, name: str, labels: int, counts: tuple[int, int, int]) -> None:
    corpus = load_corpus(name, data_dir=data_dir)
    assert tuple(corpus.counts.values()) == counts
    assert len(corpus.labels) == labels
    assert corpus.source


def test_words_are_those_of_glove(data_dir: Path) -> None:
    assert load_corpus("mr", data_dir=str(data_dir)).splits["train"][0].words[:3] == ("mr", "it", "'s")
    assert load_corpus("sst2", data_dir=data_dir).splits["train"][0].words == ("sst2", "train", "(", "0")


def test_fold_by_argument_or_in_the_name(data_dir: Path) -> None:
    corpus = load_corpus("mr", data_dir=data_dir, fold=9)
    assert [s.words[-1] for s in corpus.splits["test"]] == ["18", "19", "38", "39"]
    assert [s.words[-1] for s in corpus.splits["dev"]] == ["0", "1", "20", "21"]
    assert load_corpus("mr.v1:fold=9", data_dir=data_dir) == corpus


def test_missing_data(tmp_path: Path, data_dir: Path) -> None:
    with pytest.raises(HsEnvError, match="data_dir, the folder that holds mr/"):
        load_corpus("mr")
    with pytest.raises(HsEnvError, match="no such folder; check data_dir"):
        load_corpus("sst2", data_dir=tmp_path)
    (data_dir / "sst" / "sst5.dev.jsonl.gz").unlink()
    with pytest.raises(HsEnvError, match=r"no file sst5.dev.jsonl.gz"):
        load_corpus("sst5", data_dir=data_dir)
