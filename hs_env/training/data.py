"""Load the data of a run: corpus, vocabulary, word vectors, and splits as tensors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

from hs_env.compute import CPU, from_array, generator_for, permutation, seed_for, to_array
from hs_env.corpora import SPLITS, Corpus, Vocabulary
from hs_env.corpora.cached import read_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, Classifier, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.models.words import ContextualWords, FineTunedWords, WordEmbedding
from hs_env.parameters import plain_values
from hs_env.text_units import unit_of
from hs_env.training.config import ResolvedConfig
from hs_env.training.digests import VECTORS, corpus_digests, vector_digest
from hs_env.types import UNKNOWN, Sentence
from hs_env.vectors import WordVectors, load_vectors
from hs_env.vectors.contextual import ContextualVectors, is_contextual, load_contextual

M = TypeVar("M", bound=Model)
V = TypeVar("V", bound="WordVectors | ContextualVectors")
_POOL = 20  # batches per pool of sentences that are sorted by length


class MissingVectorsError(HsEnvError):
    """Raised if the word vectors that training starts from cannot be loaded."""


@dataclass(frozen=True)
class TrainingData:
    """Data of a run.

    Attributes:
        corpus: Corpus of the run.
        vocabulary: All words of the corpus, including dev and test, whose labels are not used.
        vectors: Initial word vectors (V, e), or the encoder that computes contextual ones. None if a trained classifier
            reads the data, which holds its own word vectors.
        splits: "train", "dev" and "test" as tensors.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    vectors: WordVectors | ContextualVectors | None
    splits: dict[str, EncodedSplit]

    @classmethod
    def load(
        cls,
        config: ResolvedConfig,
        contextual: ContextualVectors | None = None,
        read: Collection[str] = SPLITS,
        trained: bool = False,
        device: torch.device = CPU,
    ) -> TrainingData:
        """Load corpus and word vectors.

        Args:
            config: Configuration of the run.
            contextual: Contextual vectors to use instead of those in `config`, such as fine-tuned ones.
            read: Splits to compute contextual vectors for, which is slow.
            trained: Whether a trained classifier reads the data, so that no initial word vectors are loaded.
            device: Device of the splits, which contextual vectors are computed on, too.

        Raises:
            MissingVectorsError: If the word vectors cannot be loaded.
            HsEnvError: If the corpus cannot be loaded, dev is empty, or the corpus consists of characters and the word
                vectors of words.
        """
        corpus = corpus_of(config)
        if not trained:
            _check_unit(corpus, config.vectors)
        sentences = [sentence for split in corpus.splits.values() for sentence in split]
        vocabulary = Vocabulary.from_sentences(sentences)
        if contextual is None and is_contextual(config.vectors):
            contextual = _loaded(lambda: load_contextual(config.vectors))
            read = () if config.encoder_rate else read  # a trained encoder computes vectors batch by batch
        if not corpus.counts["dev"]:
            raise HsEnvError(f"Training needs dev sentences to choose the best epoch; {corpus.name!r} has none.")
        seed = seed_for(config.seed, "vectors")
        vectors: WordVectors | ContextualVectors | None = contextual
        if contextual is None and not trained:
            vectors = _loaded(
                lambda: load_vectors(config.vectors, vocabulary.words, seed=seed, data_dir=config.data_dir)
            )
        compute = None if contextual is None else contextual.on(device)
        splits = {
            name: EncodedSplit.from_sentences(split, vocabulary, compute if name in read and split else None).to(device)
            for name, split in corpus.splits.items()
        }
        return cls(corpus, vocabulary, vectors, splits)

    def replaced(self, corpus: Corpus, classifier: Classifier, read: Collection[str]) -> TrainingData:
        """Return the data with the sentences of another corpus in the splits `read`, for a trained classifier.

        The vocabulary stays that of the classifier, so words that it does not have are unknown.
        """
        sentences = {split: corpus.splits[split] for split in read}
        encoded = {split: classifier.encode(each) for split, each in sentences.items()}
        return replace(
            self,
            corpus=replace(self.corpus, splits={**self.corpus.splits, **sentences}),
            splits=self.splits | encoded,
        )

    @property
    def device(self) -> torch.device:
        """Device of the splits."""
        return self.splits["train"].lengths.device

    def examples(self, split: str = "dev") -> tuple[EncodedSplit, Sequence[Sentence], tuple[str, ...]]:
        """Return a split as tensors and as sentences, and the class names, as the display of examples needs them."""
        return self.splits[split], self.corpus.splits[split], self.corpus.labels

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the corpus, by name (see `corpus_digests`), and of static word vectors."""
        vectors = {VECTORS: vector_digest(self.vectors)} if isinstance(self.vectors, WordVectors) else {}
        return corpus_digests(self.corpus) | vectors

    @cached_property
    def digest(self) -> str:
        """Digest of words, sentences, labels and encoder of contextual vectors, which checkpoints hold."""
        digest = hashlib.sha256("\n".join((*self.corpus.labels, *self.vocabulary.words)).encode())
        for split in self.splits.values():
            for part in (split.tokens, split.lengths, split.labels):
                digest.update(to_array(part).tobytes())
        if isinstance(self.vectors, ContextualVectors):
            digest.update(self.vectors.digest.encode())
        return digest.hexdigest()

    def new_model(self, kind: type[M], config: ResolvedConfig) -> M:
        """Build a model on the CPU with new weights, which starts from the word vectors or takes contextual ones."""
        size, labels, vectors = len(self.vocabulary), len(self.corpus.labels), self.vectors
        assert vectors is not None
        width = vectors.width if isinstance(vectors, ContextualVectors) else vectors.matrix.shape[1]
        parameters = plain_values(config.model_settings)
        model = kind(size, labels, width, **parameters)
        if left_out := [name for name in parameters if name not in model.config()]:
            raise HsEnvError(
                f"The model {config.model!r} has the parameter {left_out[0]!r}, but its method config() leaves it out, "
                "so a loaded model would get the default. Return it there."
            )
        if isinstance(vectors, ContextualVectors):
            if config.encoder_rate:
                model.words = FineTunedWords(model.words, vectors, self.vocabulary.words)
            else:
                model.words = ContextualWords.in_place_of(model.words)
            return model
        assert isinstance(model.words, WordEmbedding)
        assert isinstance(vectors, WordVectors)
        with torch.no_grad():
            model.words.weight.copy_(from_array(vectors.matrix))
            # `UNKNOWN` never occurs in the corpus; unseen words get the zero vector of a dropped word.
            model.words.weight[UNKNOWN] = 0
        return model


def corpus_of(config: ResolvedConfig) -> Corpus:
    """Load the corpus of a run for its decision problem.

    Raises:
        HsEnvError: If the corpus cannot be loaded.
    """
    corpus = read_corpus(config.corpus, config.data_dir)
    kind = MODELS.get(config.model)
    return corpus.for_problem(kind.problem) if issubclass(kind, StructuredEncoder) else corpus


def digests_of(config: ResolvedConfig, vectors: bool = True) -> dict[str, str]:
    """Return the digests of the data of a configuration, as a run saves them.

    Args:
        config: Configuration of a run.
        vectors: Whether to load static word vectors too, for their digest.

    Raises:
        MissingVectorsError: If the word vectors cannot be loaded.
        HsEnvError: If the corpus cannot be loaded.
    """
    corpus = corpus_of(config)
    found = corpus_digests(corpus)
    if not vectors or is_contextual(config.vectors):
        return found
    words = Vocabulary.from_sentences([each for split in corpus.splits.values() for each in split]).words
    seed = seed_for(config.seed, "vectors")
    loaded = _loaded(lambda: load_vectors(config.vectors, words, seed=seed, data_dir=config.data_dir))
    return found | {VECTORS: vector_digest(loaded)}


def _check_unit(corpus: Corpus, vectors: str) -> None:
    """Check that word vectors fit what the corpus consists of.

    Raises:
        HsEnvError: If they are vectors of words, and the corpus consists of characters or bytes.
    """
    unit = unit_of(corpus.tokenisation)
    if unit != "words" and (is_contextual(vectors) or "glove-6b-50d" in re.split("[,+]", vectors)):
        raise HsEnvError(
            f"The word vectors {vectors!r} are those of words, but the corpus consists of {unit}. Let the vectors of "
            f"{unit} be learned: --vectors random:50."
        )


def _loaded(load: Callable[[], V]) -> V:
    try:
        return load()
    except HsEnvError as error:
        raise MissingVectorsError(str(error)) from error


def training_batches(
    split: EncodedSplit, size: int, seed: int, *place: str | int, longest: int | None = None
) -> list[Tensor]:
    """Return the batches of one epoch in random order, each as (B,) indices of sentences, on the CPU.

    Sentences of similar length share a batch: each pool of shuffled sentences is sorted by length and divided into
    batches, and then all batches are shuffled. `place` distinguishes epochs (see `generator_for`). Sentences of more
    than `longest` words are left out.
    """
    generator = generator_for(seed, *place, "order")
    order = permutation(len(split), generator)
    order = order if longest is None else order[split.sizes[order] <= longest]
    batches = [
        batch
        for pool in order.split(size * _POOL)
        for batch in pool[split.sizes[pool].argsort(stable=True)].split(size)
    ]
    return [batches[number] for number in permutation(len(batches), generator).tolist()]
