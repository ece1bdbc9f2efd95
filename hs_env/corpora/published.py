"""Load published data sets from a folder `data_dir` that holds a folder for each.

| name | folder | files | sentences |
|---|---|---|---|
| `mr` | `mr/` | `all.jsonl.gz`, `folds.json` | 10,662 |
| `subj` | `subj/` | `all.jsonl.gz`, `folds.json` | 10,000 |
| `sst2`, `sst5` | `sst/` | `sst2.train.jsonl.gz`, `sst2.dev.jsonl.gz`, ... | 9,613 and 11,855 |
| `sst2_trees`, `sst5_trees` | `sst/` | the same, and `train.trees.txt.gz`, ... | the same |
| `sst2_phrases`, `sst5_phrases` | `sst/` | the same, and `sst5.train_phrases.jsonl.gz` | the same, and phrases |
| `trec` | `trec/` | `train.jsonl.gz`, `test.jsonl.gz` | 5,952 |
| `cr` | `cr/` | `all.jsonl.gz`, `folds.json` | 3,771 |
| `mpqa` | `mpqa/` | `all.jsonl.gz`, `folds.json` | 10,603 |
| `ag_news` | `ag_news/` | `train.jsonl.gz` or `train_subset.jsonl.gz`, `test.jsonl.gz` | 7,600 in test |

Instead of `.jsonl.gz` a file may have any suffix that `read_rows` knows. `fold`, from 0 to 9, is the fold that is the
test split; the next one is the dev split. Every function raises an `HsEnvError` if `data_dir` is None, a folder or file
is missing or broken, a sentence has no tree, or there is no such fold or size.
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
from hs_env.types import END, INSIDE, Sentence

POLARITY: Final = ("negative", "positive")
"""Names of the two classes of sentiment, by class index."""

_FIVE: Final = ("very negative", "negative", "neutral", "positive", "very positive")
_MR: Final = "Pang and Lee 2005, sentence polarity dataset v1.0; CC BY 4.0"
_SUBJ: Final = "Pang and Lee 2004, subjectivity dataset v1.0; CC BY 4.0"
_SST: Final = "Socher et al. 2013, Stanford Sentiment Treebank; no licence stated"
_TREC: Final = "Li and Roth 2002, TREC questions; no licence stated"
_CR: Final = "Hu and Liu 2004, customer reviews; no licence stated"
_MPQA: Final = "Wiebe, Wilson and Cardie 2005, MPQA opinion corpus; no licence stated"
_AG_NEWS: Final = "Zhang, Zhao and LeCun 2015, AG's News version 3; for non-commercial use"


def _folder(corpus: str, data_dir: Path | None, name: str) -> Path:
    if data_dir is None:
        raise HsEnvError(
            f"The corpus {corpus!r} is read from files: give data_dir, the folder that holds {name}/. "
            f"`hs-env prepare {name}` makes it."
        )
    folder = data_dir / name
    if not folder.is_dir():
        raise HsEnvError(
            f"The corpus {corpus!r} is read from {folder}, but there is no such folder; check data_dir, or make it: "
            f"hs-env prepare {name} --out {data_dir}"
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
    """Load `mr`: sentences of movie reviews, negative or positive, in ten folds."""
    return corpus_from_folds("mr", _folder("mr", data_dir, "mr"), fold=fold, labels=POLARITY, source=_MR)


@register_corpus("subj.v1")
def subj(*, data_dir: Path | None = None, fold: int = 0) -> Corpus:
    """Load `subj`: sentences of reviews (subjective) and of plots (objective), in ten folds."""
    labels = ("subjective", "objective")
    return corpus_from_folds("subj", _folder("subj", data_dir, "subj"), fold=fold, labels=labels, source=_SUBJ)


@register_corpus("cr.v1")
def cr(*, data_dir: Path | None = None, fold: int = 0) -> Corpus:
    """Load `cr`: sentences of reviews of products, negative or positive, in ten folds."""
    return corpus_from_folds("cr", _folder("cr", data_dir, "cr"), fold=fold, labels=POLARITY, source=_CR)


@register_corpus("mpqa.v1")
def mpqa(*, data_dir: Path | None = None, fold: int = 0) -> Corpus:
    """Load `mpqa`: short phrases of opinion from newspapers, negative or positive, in ten folds."""
    return corpus_from_folds("mpqa", _folder("mpqa", data_dir, "mpqa"), fold=fold, labels=POLARITY, source=_MPQA)


@register_corpus("trec.v1")
def trec(*, data_dir: Path | None = None) -> Corpus:
    """Load `trec`: questions, by the type of their answer in six classes.

    A stratified tenth of the train split becomes the dev split.
    """
    parts = _parts(_folder("trec", data_dir, "trec"), {"train": ("train",), "test": ("test",)})
    labels = ("description", "entity", "abbreviation", "human", "location", "number")
    return corpus_from_parts("trec", parts, labels=labels, source=_TREC)


def _sst(name: str, data_dir: Path | None, labels: Sequence[str]) -> Corpus:
    folder = _folder(name, data_dir, "sst")
    parts = _parts(folder, {split: (f"{name}.{split}",) for split in ("train", "dev", "test")})
    return corpus_from_parts(name, parts, labels=labels, source=_SST)


@register_corpus("sst2.v1")
def sst2(*, data_dir: Path | None = None) -> Corpus:
    """Load `sst2`: the sentences of the Stanford Sentiment Treebank without neutral ones, in two classes."""
    return _sst("sst2", data_dir, POLARITY)


@register_corpus("sst5.v1")
def sst5(*, data_dir: Path | None = None) -> Corpus:
    """Load `sst5`: the sentences of the Stanford Sentiment Treebank, in five classes."""
    return _sst("sst5", data_dir, _FIVE)


def _with_trees(corpus: Corpus, data_dir: Path | None) -> Corpus:
    """Add gold phrases from parse trees.

    The trees must have the order of the sentences; trees without a sentence are skipped.
    """
    splits = {}
    for split, sentences in corpus.splits.items():
        treebank = load_treebank("sst", data_dir=data_dir, split=split, tokenisation=corpus.tokenisation)
        trees = zip(treebank.sentences, treebank.brackets, strict=True)
        phrased = []
        for number, sentence in enumerate(sentences):
            brackets = next((spans for tree, spans in trees if tree.words == sentence.words), None)
            if brackets is None:
                raise HsEnvError(
                    f"The trees of {treebank.name} lack sentence {number} of {corpus.name!r}, or have another order."
                )
            phrased.append(replace(sentence, gold_actions=_tree_phrases(sentence, brackets)))
        splits[split] = tuple(phrased)
    return replace(corpus, name=f"{corpus.name}_trees", splits=splits)


def _tree_phrases(sentence: Sentence, brackets: Iterable[Span]) -> tuple[int, ...]:
    """Segment a sentence of L words into its largest subtrees of at most `int(sqrt(L) + 0.5)` words.

    Each word counts as a subtree (Zhang, Huang, Zhao 2018).
    """
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
    """Load `sst2_trees`: the sentences of `sst2` with gold phrases from their parse trees."""
    return _with_trees(sst2(data_dir=data_dir), data_dir)


@register_corpus("sst5_trees.v1")
def sst5_trees(*, data_dir: Path | None = None) -> Corpus:
    """Load `sst5_trees`: the sentences of `sst5` with gold phrases from their parse trees."""
    return _with_trees(sst5(data_dir=data_dir), data_dir)


def _with_phrases(corpus: Corpus, data_dir: Path | None, classes: Mapping[int, int]) -> Corpus:
    """Replace the train split by all phrases of the training trees.

    `classes` maps the five classes to those of the corpus; phrases of other classes are dropped. Phrases that equal a
    dev or test sentence are dropped too.
    """
    path = _parts(_folder(corpus.name, data_dir, "sst"), {"train": ("sst5.train_phrases",)})["train"]
    phrases = to_sentences(read_rows(path), _FIVE, corpus.tokenisation)
    held_out = {sentence.words for split in ("dev", "test") for sentence in corpus.splits[split]}
    train = (phrase for phrase in phrases if phrase.label in classes and phrase.words not in held_out)
    splits = {**corpus.splits, "train": tuple(replace(phrase, label=classes[phrase.label]) for phrase in train)}
    return replace(corpus, name=f"{corpus.name}_phrases", splits=splits)


@register_corpus("sst2_phrases.v1")
def sst2_phrases(*, data_dir: Path | None = None) -> Corpus:
    """Load `sst2_phrases`: `sst2`, with all phrases of its training trees as the train split.

    Neutral phrases are left out, and so are phrases that equal a dev or test sentence.
    """
    return _with_phrases(sst2(data_dir=data_dir), data_dir, {0: 0, 1: 0, 3: 1, 4: 1})


@register_corpus("sst5_phrases.v1")
def sst5_phrases(*, data_dir: Path | None = None) -> Corpus:
    """Load `sst5_phrases`: `sst5`, with all phrases of its training trees as the train split.

    Phrases that equal a dev or test sentence are left out.
    """
    return _with_phrases(sst5(data_dir=data_dir), data_dir, {label: label for label in range(5)})


@register_corpus("ag_news.v1")
def ag_news(*, data_dir: Path | None = None, train: int = 0) -> Corpus:
    """Load `ag_news`: titles and descriptions of news, in four classes.

    A stratified tenth of the train split becomes the dev split. `train` keeps this many training sentences, from 9, and
    a ninth as many dev sentences; 0 keeps all.
    """
    parts = _parts(_folder("ag_news", data_dir, "ag_news"), {"train": ("train", "train_subset"), "test": ("test",)})
    corpus = corpus_from_parts("ag_news", parts, labels=("world", "sports", "business", "sci/tech"), source=_AG_NEWS)
    if not train:
        return corpus
    splits = corpus.splits
    if not 9 <= train <= len(splits["train"]):
        raise HsEnvError(
            f"ag_news has {len(splits['train']):,} training sentences, asked for train={train}; "
            f"expected a number from 9 to {len(splits['train'])}, or 0 for all."
        )
    return replace(corpus, splits={**splits, "train": splits["train"][:train], "dev": splits["dev"][: train // 9]})
