"""The data sets of the field, read from a folder `data_dir` that holds `mr/`, `subj/`, `sst/` and `ag_news/`.

| name | folder | files | sentences about |
|---|---|---|---|
| `mr` | `mr/` | `all.jsonl.gz`, `folds.json` | 10,662 |
| `subj` | `subj/` | `all.jsonl.gz`, `folds.json` | 10,000 |
| `sst2`, `sst5` | `sst/` | `sst2.train.jsonl.gz`, `sst2.dev.jsonl.gz`, ... | 9,613 and 11,855 |
| `sst2_trees`, `sst5_trees` | `sst/` | the same, and `train.trees.txt.gz`, ... | the same |
| `sst2_phrases`, `sst5_phrases` | `sst/` | the same, and `sst5.train_phrases.jsonl.gz` | the same, and phrases |
| `ag_news` | `ag_news/` | `train.jsonl.gz` or `train_subset.jsonl.gz`, `test.jsonl.gz` | 7,600 to test |

Any ending that `read_rows` knows will do for `.jsonl.gz`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hs_env.corpora.corpus import Corpus, register_corpus
from hs_env.corpora.files import read_rows, to_sentences
from hs_env.corpora.layouts import corpus_from_folds, corpus_from_parts, find_file
from hs_env.corpora.treebanks import Span, load_treebank
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import END, INSIDE
from hs_env.types import Sentence

POLARITY: Final = ("negative", "positive")
"""The classes of two-way sentiment."""

_FIVE: Final = ("very negative", "negative", "neutral", "positive", "very positive")
_MR: Final = "Pang and Lee 2005, sentence polarity dataset v1.0; CC BY 4.0"
_SUBJ: Final = "Pang and Lee 2004, subjectivity dataset v1.0; CC BY 4.0"
_SST: Final = "Socher et al. 2013, Stanford Sentiment Treebank; no licence stated"
_AG_NEWS: Final = "Zhang, Zhao and LeCun 2015, AG's News version 3; for non-commercial use"


def _folder(corpus: str, data_dir: Path | None, name: str) -> Path:
    if data_dir is None:
        raise HsEnvError(
            f"The corpus {corpus!r} is read from files: give data_dir, the folder that holds {name}/; "
            "docs/corpora.md says how to make it."
        )
    folder = data_dir / name
    if not folder.is_dir():
        raise HsEnvError(
            f"The corpus {corpus!r} is read from {folder}, but there is no such folder; check data_dir, or make it: "
            "docs/corpora.md."
        )
    return folder


def _parts(folder: Path, stems: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    parts = {}
    for split, names in stems.items():
        path = find_file(folder, names)
        if path is None:
            raise HsEnvError(f"{folder}: there is no file {names[0]}.jsonl.gz, {names[0]}.jsonl, {names[0]}.csv, ...")
        parts[split] = path
    return parts


@register_corpus("mr.v1")
def mr(*, data_dir: Path | None = None, fold: int = 0) -> Corpus:
    """Movie review sentences, negative or positive, ten folds."""
    return corpus_from_folds("mr", _folder("mr", data_dir, "mr"), fold=fold, labels=POLARITY, source=_MR)


@register_corpus("subj.v1")
def subj(*, data_dir: Path | None = None, fold: int = 0) -> Corpus:
    """Sentences of reviews (subjective) and plots (objective), ten folds."""
    labels = ("subjective", "objective")
    return corpus_from_folds("subj", _folder("subj", data_dir, "subj"), fold=fold, labels=labels, source=_SUBJ)


def _sst(name: str, data_dir: Path | None, labels: Sequence[str]) -> Corpus:
    folder = _folder(name, data_dir, "sst")
    parts = _parts(folder, {split: (f"{name}.{split}",) for split in ("train", "dev", "test")})
    return corpus_from_parts(name, parts, labels=labels, source=_SST)


@register_corpus("sst2.v1")
def sst2(*, data_dir: Path | None = None) -> Corpus:
    """Stanford Sentiment Treebank, whole sentences, neutral ones left out."""
    return _sst("sst2", data_dir, POLARITY)


@register_corpus("sst5.v1")
def sst5(*, data_dir: Path | None = None) -> Corpus:
    """Stanford Sentiment Treebank, whole sentences, five classes."""
    return _sst("sst5", data_dir, _FIVE)


def _with_trees(corpus: Corpus, data_dir: Path | None) -> Corpus:
    """The same sentences with phrases from their trees, which stand in the same order; a tree may have no sentence."""
    splits = {}
    for split, sentences in corpus.splits.items():
        treebank = load_treebank("sst", data_dir=data_dir, split=split, tokenisation=corpus.tokenisation)
        trees = zip(treebank.sentences, treebank.brackets, strict=True)
        phrased = []
        for number, sentence in enumerate(sentences):
            brackets = next((spans for tree, spans in trees if tree.words == sentence.words), None)
            if brackets is None:
                raise HsEnvError(
                    f"The trees of {treebank.name} lack sentence {number} of {corpus.name!r}, or its turn."
                )
            phrased.append(replace(sentence, gold_actions=_tree_phrases(sentence, brackets)))
        splits[split] = tuple(phrased)
    return replace(corpus, name=f"{corpus.name}_trees", splits=splits)


def _tree_phrases(sentence: Sentence, brackets: Iterable[Span]) -> tuple[int, ...]:
    """The greatest subtrees of at most `int(sqrt(L) + 0.5)` words (Zhang, Huang, Zhao 2018); a word is one."""
    length = len(sentence.words)
    longest = int(length**0.5 + 0.5)
    stops: list[int] = []
    spans = {(at, at + 1) for at in range(length)}.union(brackets)
    for start, stop in sorted(spans, key=lambda span: (span[0], -span[1])):
        if stop - start <= longest and start >= (stops[-1] if stops else 0):
            stops.append(stop)
    return tuple(END if at in stops else INSIDE for at in range(1, length + 1))


@register_corpus("sst2_trees.v1")
def sst2_trees(*, data_dir: Path | None = None) -> Corpus:
    """The sentences of sst2, with phrases from their trees."""
    return _with_trees(sst2(data_dir=data_dir), data_dir)


@register_corpus("sst5_trees.v1")
def sst5_trees(*, data_dir: Path | None = None) -> Corpus:
    """The sentences of sst5, with phrases from their trees."""
    return _with_trees(sst5(data_dir=data_dir), data_dir)


def _with_phrases(corpus: Corpus, data_dir: Path | None, classes: Mapping[int, int]) -> Corpus:
    """The same sentences, and to train on all phrases of the training trees whose class of five `classes` maps."""
    path = _parts(_folder(corpus.name, data_dir, "sst"), {"train": ("sst5.train_phrases",)})["train"]
    phrases = to_sentences(read_rows(path), _FIVE, corpus.tokenisation)
    judged = {sentence.words for split in ("dev", "test") for sentence in corpus.splits[split]}
    train = (phrase for phrase in phrases if phrase.label in classes and phrase.words not in judged)
    splits = {**corpus.splits, "train": tuple(replace(phrase, label=classes[phrase.label]) for phrase in train)}
    return replace(corpus, name=f"{corpus.name}_phrases", splits=splits)


@register_corpus("sst2_phrases.v1")
def sst2_phrases(*, data_dir: Path | None = None) -> Corpus:
    """sst2, trained on every phrase of its training trees that is not neutral; no dev or test sentence is one."""
    return _with_phrases(sst2(data_dir=data_dir), data_dir, {0: 0, 1: 0, 3: 1, 4: 1})


@register_corpus("sst5_phrases.v1")
def sst5_phrases(*, data_dir: Path | None = None) -> Corpus:
    """sst5, trained on every phrase of its training trees; no dev or test sentence is one."""
    return _with_phrases(sst5(data_dir=data_dir), data_dir, {label: label for label in range(5)})


@register_corpus("ag_news.v1")
def ag_news(*, data_dir: Path | None = None, train: int = 0) -> Corpus:
    """Titles and descriptions of news; the dev split is taken from the train split.

    Args:
        data_dir: See `load_corpus`.
        train: Keep the first so many training sentences only, and a ninth as many to choose epochs by; 0 keeps all.
    """
    parts = _parts(_folder("ag_news", data_dir, "ag_news"), {"train": ("train", "train_subset"), "test": ("test",)})
    corpus = corpus_from_parts("ag_news", parts, labels=("world", "sports", "business", "sci/tech"), source=_AG_NEWS)
    if not train:
        return corpus
    splits = corpus.splits
    if not 9 <= train <= len(splits["train"]):
        raise HsEnvError(
            f"ag_news has {len(splits['train']):,} training sentences, asked for train={train}, from 9 on."
        )
    return replace(corpus, splits={**splits, "train": splits["train"][:train], "dev": splits["dev"][: train // 9]})
