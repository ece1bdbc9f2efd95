"""Make the classifiers of `movie_reviews` that ship with the package, for `make_classifier.py`.

Each model but the skim LSTM is trained with three seeds, and the one with the best accuracy on dev is kept. Then its
vocabulary is changed: words that it can know nothing of are removed, and frequent words of GloVe are added with their
vectors. Its file holds 8 bits per weight of a matrix. Accuracies before and after are printed and noted in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from rich.console import Console

from hs_env.agents import Agent
from hs_env.corpora import SPLITS, Corpus, Vocabulary, load_corpus
from hs_env.corpora.tokenisation import tokenise
from hs_env.experiments.statistics import t_interval
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.metrics.scores import greedy_predictions
from hs_env.models import Classifier
from hs_env.shipped import CLASSIFIER
from hs_env.training.config import TrainConfig
from hs_env.training.run import Run, train_or_resume
from hs_env.types import UNKNOWN
from hs_env.vectors import load_vectors
from hs_env.vectors.files import glove_words

SEEDS: Final = (0, 1, 2)
WORDS: Final = 25_000
"""Size of the vocabulary: three classifiers, each with its vectors, then fit into 5 MB of a wheel."""
SKIMMED: Final = 6_000
"""Size of the vocabulary of the skim LSTM, which is the default of an environment and no reader of new texts."""
SKIMMING: Final[dict[str, Any]] = {
    "model_parameters": {"hidden_size": 100},
    "agent_parameters": {
        "samples": 2,
        "learning_rate": 1e-2,
        "hidden_size": 16,
        "estimator": "ppo",
        "baseline": "leave_one_out",
        "scale": "none",
        "ratio": "word",
        "updates": 3,
        "entropy_bonus": 0.001,
    },
    "batch_size": 128,
    "learning_rate": 4e-3,
    "joint_learning_rate": 5e-4,
    "tau": 0.05,
    "warm_epochs": 3,
    "pnet_epochs": 1,
    "joint_epochs": 1,
}
"""Settings of the skim LSTM: those of the grid `skimming.toml`, at the default price."""
VECTORS: Final = "glove-6b-50d"
_MEASURED: Final = ("dev", "test")


def config(model: str, seed: int) -> TrainConfig:
    """Return the configuration of a training run: the defaults, at half their hidden size, but for the skim LSTM."""
    defaults = TrainConfig(model=model, vectors=VECTORS, model_parameters={"hidden_size": 150}, seed=seed, threads=1)
    return replace(defaults, **SKIMMING) if model == "skim_lstm" else defaults


def best_of_seeds(model: str, folder: Path, console: Console) -> tuple[Run, dict[str, Any]]:
    """Train with each seed, or load the finished run of it in `folder`, and print accuracies.

    The skim LSTM has the first seed only.

    Returns:
        The run whose classifier, with the shipped vocabulary and 8 bits per weight, has the best accuracy on dev; and
        the accuracies on dev and test of all seeds: of the run as it was "trained", with the shipped vocabulary
        ("float32"), and then with 8 bits per weight ("int8").
    """
    corpus = load_corpus("movie_reviews")
    made, accuracies = [], []
    seeds = SEEDS[:1] if model == "skim_lstm" else SEEDS
    for seed in seeds:
        run = train_or_resume(config(model, seed), folder / f"{model}-{seed}", console)
        extended = with_frequent_words(run.classifier, corpus, SKIMMED if model == "skim_lstm" else WORDS)
        stages = {"trained": run.classifier, "float32": extended, "int8": rounded(extended)}
        made.append(replace(run, classifier=stages["int8"]))
        accuracies.append({stage: accuracy(each, run.agent, corpus) for stage, each in stages.items()})
        _print(f"{model}, seed {seed}", accuracies[-1], console)
    means = {
        stage: {split: t_interval([each[stage][split].value for each in accuracies]) for split in _MEASURED}
        for stage in accuracies[0]
    }
    _print(f"{model}, mean of seeds (t interval)", means, console)
    best = max(seeds, key=lambda seed: accuracies[seed]["int8"]["dev"].value)
    unknown = unknown_share(made[best].classifier, corpus)
    console.print(f"seed {best} is kept; share of unknown words: {unknown}")
    values = [
        {stage: {split: each[stage][split].value for split in _MEASURED} for stage in each} for each in accuracies
    ]
    return made[best], {"seed": best, **values[best]["int8"], "seeds": values, "unknown": unknown}


def with_frequent_words(classifier: Classifier, corpus: Corpus, size: int) -> Classifier:
    """Return the classifier with a vocabulary for new texts, of `size` words.

    It keeps the words of the training split that have a pretrained vector or occur twice, the most frequent ones if
    there are more than `size`. The most frequent other words of GloVe follow; numbers and words that no text is divided
    into are left out.
    """
    known = glove_words()
    counts = Counter(word for sentence in corpus.splits["train"] for word in sentence.words)
    pretrained = counts.keys() & set(known)
    kept = [word for word in classifier.vocabulary.words if counts[word] > 1 or word in pretrained][:size]
    words = Vocabulary([*kept, *_frequent(known, set(kept), size - len(kept))])
    vectors = torch.from_numpy(load_vectors(VECTORS, words.words, seed=0).matrix)
    trained = classifier.model.state_dict()["words.weight"]
    vectors[:2] = trained[:2]
    vectors[torch.tensor(words.encode(kept))] = trained[torch.tensor(classifier.vocabulary.encode(kept))]
    model = type(classifier.model)(**classifier.model.config() | {"vocabulary_size": len(words)})
    model.load_state_dict(classifier.model.state_dict() | {"words.weight": vectors})
    return replace(classifier, model=model.eval(), vocabulary=words)


def _frequent(words: list[str], known: set[str], count: int) -> Iterator[str]:
    """Yield the first `count` words that are not known, begin with a letter of English and are tokens."""
    for word in words:
        if count == 0:
            return
        if word not in known and word.isascii() and word[0].isalpha() and tokenise(word, "glove") == (word,):
            count -= 1
            yield word


def rounded(classifier: Classifier) -> Classifier:
    """Return the classifier as it is loaded from its file of 8 bits per weight."""
    with TemporaryDirectory() as folder:
        classifier.save(Path(folder) / CLASSIFIER, int8=True)
        return Classifier.load(folder)


def accuracy(classifier: Classifier, agent: Agent | None, corpus: Corpus) -> dict[str, Interval]:
    """Compute the accuracies on dev and test with their bootstrap intervals over the sentences."""
    found = {}
    for split in _MEASURED:
        predictions = greedy_predictions(classifier.model, agent, classifier.encode(corpus.splits[split]))
        found[split] = intervals(predictions, metrics=["accuracy"])["accuracy"]
    return found


def unknown_share(classifier: Classifier, corpus: Corpus) -> dict[str, float]:
    """Return the share of running words that the classifier does not know, by split."""
    encoded = {split: classifier.encode(corpus.splits[split]) for split in SPLITS}
    return {
        split: round(float((each.tokens == UNKNOWN).sum() / each.lengths.sum()), 4) for split, each in encoded.items()
    }


def _print(title: str, accuracies: dict[str, dict[str, Interval]], console: Console) -> None:
    for stage, splits in accuracies.items():
        shown = (f"{name} {each.value:.1%} ({each.low:.1%} to {each.high:.1%})" for name, each in splits.items())
        console.print(f"{title}, {stage}: {', '.join(shown)}", highlight=False)
