"""Find and load Hugging Face text encoders, and compute their states of words from those of word pieces."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError, expand, missing_extra

if TYPE_CHECKING:
    from torch import Tensor

_MODEL_FILES: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Patterns of the files of a model that are used; they exclude pickles and code."""
_TOGETHER: Final = 16
"""Maximum number of sentences per pass of an encoder on a CPU; a GPU reads all of them in one pass."""
_LAYER_KEY: Final = "hs_env_layer"
"""Key in the configuration of an encoder fine-tuned here; its value is the layer that it was fine-tuned for."""


@dataclass(frozen=True)
class PieceEncoder:
    """An encoder with its tokeniser, for sentences that are already divided into words.

    Attributes:
        tokenizer: Fast tokeniser, which divides words into pieces.
        model: Model in the folder, in eval mode.
        network: Encoder of `model`. It is `model` itself, unless that has a decoder too.
        limit: Largest number of pieces per input, including special pieces.
        space: Prefix of every word, " " or "". With the space, byte-level tokenisers divide a word as in running text.
    """

    tokenizer: Any
    model: Any
    network: Any
    limit: int
    space: str

    @classmethod
    def load(cls, folder: Path, layers: int | None = None) -> PieceEncoder:
        """Load an encoder and its tokeniser; `layers` loads only so many layers, counted from the first.

        Raises:
            HsEnvError: If `transformers` is missing, a file or weight is missing or broken, or the tokeniser is not a
                fast one that can pad.
        """
        need_transformers()
        from transformers import AutoModel, AutoTokenizer, logging

        from hs_env.compute import making_on

        logging.set_verbosity_error()  # it would warn about the layers that are left out on purpose
        logging.disable_progress_bar()
        tokenizer = _from_pretrained(AutoTokenizer, folder)
        arguments = {} if layers is None else {"num_hidden_layers": layers}
        with making_on():
            model, report = _from_pretrained(
                AutoModel, folder, use_safetensors=True, output_loading_info=True, **arguments
            )
        if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
            raise HsEnvError(f"{folder} lacks weights of its encoder: {missing[0]} and {len(missing) - 1} others.")
        if layers is not None and getattr(model.config, "layer_types", None):
            model.config.layer_types = model.config.layer_types[:layers]  # a longer list cannot be saved
        network = model.get_encoder() if model.config.is_encoder_decoder else model
        if not tokenizer.is_fast or len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise HsEnvError(f"{folder} holds no fast tokeniser with pieces of words: is there a tokenizer.json?")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token or tokenizer.unk_token
        if tokenizer.pad_token is None:
            raise HsEnvError(f"The tokeniser of {folder} has no padding token. Give it a pad_token.")
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        return cls(tokenizer, model.eval(), network, _limit(tokenizer, network), _space(tokenizer))

    def pieces(self, sentences: Sequence[Sequence[str]]) -> Any:
        """Return the pieces of sentences as a `BatchEncoding` of padded tensors on the device of the network.

        Pieces beyond `limit` are cut off.
        """
        from hs_env.compute import device_of, making_on

        # Tokenisers reject surrogates, which stand for bytes that were not UTF-8.
        words = [[self.space + word.encode(errors="replace").decode() for word in sentence] for sentence in sentences]
        with making_on():
            return self.tokenizer(
                words,
                is_split_into_words=True,
                padding=True,
                truncation=True,
                max_length=self.limit,
                return_tensors="pt",
            ).to(device_of(self.network))

    def word_states(self, sentences: Sequence[Sequence[str]], layer: int) -> Tensor:
        """Return the states of all words of some sentences, (words, e) float32; gradients reach the encoder.

        A word's state is the mean of the outputs of `layer` (0 is the embeddings) for its pieces, or 0 if the tokeniser
        finds no piece in it. A sentence that exceeds `limit` is processed in parts. On a CPU, sentences of similar
        length are read together, so that little of the encoder's input is padding.
        """
        import torch

        from hs_env.compute import device_of, from_array

        device = device_of(self.network)
        by_length = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
        size = _TOGETHER if device.type == "cpu" else len(by_length)
        groups = [by_length[start : start + size] for start in range(0, len(by_length), size)]
        states = torch.cat([self._states([sentences[number] for number in group], layer) for group in groups])
        offsets = [0, *accumulate(map(len, sentences))]
        places = np.concatenate([np.arange(offsets[number], offsets[number + 1]) for number in by_length])
        return states[from_array(places.argsort(), device)]

    def _states(self, sentences: Sequence[Sequence[str]], layer: int) -> Tensor:
        """Return the states of all words of a few sentences, as `word_states` does."""
        import torch

        from hs_env.compute import casting, device_of, from_array, making_on

        device = device_of(self.network)
        lengths = [len(words) for words in sentences]
        offsets = [0, *accumulate(lengths)]
        starts = dict.fromkeys(range(len(sentences)), 0)  # next word of each sentence that is not finished
        states, owners = [], []  # of pieces: their states, and the positions of their words in the result or -1
        while starts:
            parts = [sentences[index][start : start + self.limit] for index, start in starts.items()]
            pieces = self.pieces(parts)
            for number, (index, start) in enumerate(tuple(starts.items())):
                word = _word_of_pieces(pieces.word_ids(number))
                cut_off = [_word_of_pieces(each.word_ids) for each in pieces.encodings[number].overflowing]
                # A word that is cut off begins the next part, unless it is longer than any part.
                complete = max(1, min((int(each[each >= 0][0]) for each in cut_off), default=len(parts[number])))
                owners.append(np.where((word >= 0) & (word < complete), offsets[index] + start + word, -1))
                if start + complete < lengths[index]:
                    starts[index] = start + complete
                else:
                    del starts[index]
            if pieces["input_ids"].shape[1]:
                with making_on(device), casting(device):
                    layers = self.network(**pieces, output_hidden_states=True).hidden_states
                states.append(layers[layer].float().flatten(0, 1))
            else:  # no sentence has a piece, not even a special one
                states.append(torch.zeros(0, self.network.config.hidden_size, device=device))
        owner = from_array(np.concatenate(owners), device)
        found, owner = torch.cat(states)[owner >= 0], owner[owner >= 0]
        sums = found.new_zeros(offsets[-1], found.shape[1]).index_add(0, owner, found)
        return sums / torch.bincount(owner, minlength=offsets[-1]).clamp(min=1)[:, None]

    def save(self, folder: Path, layer: int) -> None:
        """Save model and tokeniser to `folder`, and record `layer` as the default layer of word vectors.

        Each file is written to a temporary subfolder and then moved, so no file is ever half written.

        Raises:
            HsEnvError: If model or tokeniser cannot be saved.
        """
        unfinished = folder / "unfinished"
        setattr(self.model.config, _LAYER_KEY, layer)
        # Undo the settings of the last batch. They would be saved too and change the digest of the files.
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.no_padding()
        try:
            self.model.save_pretrained(unfinished)
            self.tokenizer.save_pretrained(unfinished)
        except Exception as error:  # the libraries may raise anything
            raise HsEnvError(f"The encoder cannot be saved in {folder} ({_one_line(error)}).") from error
        mode = (unfinished / "config.json").stat().st_mode  # weights are written with access for their owner only
        for path in unfinished.iterdir():
            path.chmod(mode)
            os.replace(path, folder / path.name)
        unfinished.rmdir()


def _word_of_pieces(words: Sequence[int | None]) -> NDArray[np.int64]:
    """Return the position of the word of each piece, -1 for special pieces."""
    return np.array([-1 if word is None else word for word in words], np.int64)


def _limit(tokenizer: Any, network: Any) -> int:
    """Compute `PieceEncoder.limit`. An encoder that states no number of positions gets 512."""
    # Some tokenisers state a huge number as their longest input, and some encoders state -1 positions.
    positions = getattr(network.config, "max_position_embeddings", None) or 0
    # Models like RoBERTa count positions from the one after that of padding.
    paddings = (
        module.padding_idx
        for name, module in network.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    )
    return int(min(tokenizer.model_max_length, (positions if positions > 0 else 512) - next(paddings, -1) - 1))


def _space(tokenizer: Any) -> str:
    """Find out `PieceEncoder.space`."""
    words = tokenizer(["a", "a"], is_split_into_words=True, add_special_tokens=False)
    return "" if words.tokens() == tokenizer.tokenize("a a") else " "


def configuration(folder: Path) -> tuple[int, int, int]:
    """Read the number of layers, the width of a word vector, and the default layer: the fine-tuned one or the last.

    Raises:
        HsEnvError: If the folder holds no text encoder, or `transformers` is missing.
    """
    need_transformers()
    from transformers import AutoConfig

    config = _from_pretrained(AutoConfig, folder)
    try:
        return config.num_hidden_layers, config.hidden_size, getattr(config, _LAYER_KEY, config.num_hidden_layers)
    except AttributeError as error:
        raise HsEnvError(f"{folder} holds no Hugging Face encoder of text: {error}") from error


def digest_of(folder: Path) -> str:
    """Compute 16 hexadecimal digits from the names and contents of the files of a model."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def model_files(folder: Path) -> list[Path]:
    """List the files of a model, sorted: JSON, text, tokeniser and safetensors files."""
    return sorted(path for pattern in _MODEL_FILES for path in folder.glob(pattern))


def model_folder(model: str) -> Path:
    """Find the folder of a model: the folder itself, a package with a folder `model`, or a download from the hub.

    Raises:
        HsEnvError: If it is none of these, or it cannot be downloaded.
    """
    if (path := expand(model)).is_dir():
        return path.resolve()
    if model.count("/") > 1 or model[:1] in ("/", ".", "~"):
        raise HsEnvError(f"There is no folder {path.absolute()} with an encoder.")
    package = importlib.util.find_spec(model.replace("-", "_")) if re.fullmatch(r"[\w-]+", model) else None
    if package is not None and package.origin is not None:
        if (path := Path(package.origin).parent / "model").is_dir():
            return path
        raise HsEnvError(f"The package {model!r} holds no model: there is no folder {path}.")
    return _from_hub(model)


@lru_cache  # ask the hub once per process
def _from_hub(model: str) -> Path:
    need_transformers()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_MODEL_FILES)))
    except Exception as error:  # the hub and the network may raise anything
        raise HsEnvError(
            f"There is no encoder {model!r}: it is neither a folder nor an installed package, and it cannot be "
            f"downloaded from the hub ({_one_line(error)})."
        ) from error


def need_transformers() -> None:
    """Raise an `HsEnvError` that says what to install if `transformers` is missing."""
    if importlib.util.find_spec("transformers") is None:
        raise missing_extra("Contextual vectors", "contextual")


def _from_pretrained(kind: Any, folder: Path, **arguments: Any) -> Any:
    try:
        return kind.from_pretrained(folder, trust_remote_code=False, **arguments)
    except Exception as error:  # it may raise anything
        raise HsEnvError(f"{folder} holds no Hugging Face encoder that can be loaded ({_one_line(error)}).") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
