"""Hugging Face encoders of text: where their files are, and their states for the pieces of words."""

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

from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from torch import Tensor

_WANTED: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What is read of a model: no pickles, no code."""
_LAYER: Final = "hs_env_layer"
"""Where the configuration of an encoder that was fine-tuned here says which layer learnt to be read."""


@dataclass(frozen=True)
class PieceEncoder:
    """An encoder and its tokeniser, for sentences that are cut into words already.

    Attributes:
        tokenizer: The tokeniser.
        model: What the folder holds, in eval mode.
        network: The encoder in it: the model itself, unless that has a decoder besides.
        limit: Pieces that it reads at once, those that it adds by itself included.
        space: What stands before a word, so that it is cut as in running text: a byte-level tokeniser takes the space
            for a part of the word.
    """

    tokenizer: Any
    model: Any
    network: Any
    limit: int
    space: str

    @classmethod
    def load(cls, folder: Path, layers: int | None = None) -> PieceEncoder:
        """The encoder in a folder, of its first `layers` layers alone if that is given.

        Raises:
            HsEnvError: If it cannot be loaded as a whole.
        """
        need_transformers()
        from transformers import AutoModel, AutoTokenizer, logging

        logging.set_verbosity_error()  # it warns of the layers above, which are left out on purpose
        logging.disable_progress_bar()
        tokenizer = _from_pretrained(AutoTokenizer, folder)
        arguments = {} if layers is None else {"num_hidden_layers": layers}
        model, report = _from_pretrained(AutoModel, folder, use_safetensors=True, output_loading_info=True, **arguments)
        if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
            raise HsEnvError(f"{folder} lacks weights of its encoder: {missing[0]} and {len(missing) - 1} others.")
        if layers is not None and getattr(model.config, "layer_types", None):
            model.config.layer_types = model.config.layer_types[:layers]  # or it could not be saved
        network = model.get_encoder() if model.config.is_encoder_decoder else model
        if not tokenizer.is_fast or len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise HsEnvError(f"{folder} holds no fast tokeniser with pieces of words: is there a tokenizer.json?")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token or tokenizer.unk_token
        if tokenizer.pad_token is None:
            raise HsEnvError(f"The tokeniser of {folder} has no piece to pad a batch with. Give it a pad_token.")
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        return cls(tokenizer, model.eval(), network, _limit(tokenizer, network), _space(tokenizer))

    def pieces(self, sentences: Sequence[Sequence[str]]) -> Any:
        """The pieces of sentences, padded; what is longer than `limit` is cut off."""
        # Tokenisers take no surrogates, which stand for bytes that were no UTF-8.
        words = [[self.space + word.encode(errors="replace").decode() for word in sentence] for sentence in sentences]
        return self.tokenizer(
            words, is_split_into_words=True, padding=True, truncation=True, max_length=self.limit, return_tensors="pt"
        )

    def word_states(self, sentences: Sequence[Sequence[str]], layer: int) -> Tensor:
        """(W, e) float32: the states of all words of sentences at a layer, one after the other, differentiable.

        A word's state is the mean of those of its pieces, and 0 if the tokeniser finds none in it. A sentence longer
        than the encoder reads at once is read in parts.
        """
        import torch

        lengths = [len(words) for words in sentences]
        offsets = [0, *accumulate(lengths)]
        begun = dict.fromkeys(range(len(sentences)), 0)  # where each sentence stands that is not read to its end
        states, owners = [], []  # of pieces: their states, and the number of their words in the result, or -1
        while begun:
            parts = [sentences[row][start : start + self.limit] for row, start in begun.items()]
            pieces = self.pieces(parts)
            for number, (row, start) in enumerate(tuple(begun.items())):
                word = _numbers(pieces.word_ids(number))
                left = [_numbers(each.word_ids) for each in pieces.encodings[number].overflowing]
                # A word that is cut is read again with the next part, unless it is longer than any part.
                whole = max(1, min((int(each[each >= 0][0]) for each in left), default=len(parts[number])))
                owners.append(np.where((word >= 0) & (word < whole), offsets[row] + start + word, -1))
                if start + whole < lengths[row]:
                    begun[row] = start + whole
                else:
                    del begun[row]
            states.append(self.network(**pieces, output_hidden_states=True).hidden_states[layer].float().flatten(0, 1))
        owner = torch.from_numpy(np.concatenate(owners))
        found, owner = torch.cat(states)[owner >= 0], owner[owner >= 0]
        sums = found.new_zeros(offsets[-1], found.shape[1]).index_add(0, owner, found)
        return sums / torch.bincount(owner, minlength=offsets[-1]).clamp(min=1)[:, None]

    def save(self, folder: Path, layer: int) -> None:
        """Save model and tokeniser for `load`: written beside first, then moved, so that no file is ever half there.

        Args:
            folder: Where to.
            layer: Which one is read where none is named.

        Raises:
            HsEnvError: If they cannot be saved.
        """
        unfinished = folder / "unfinished"
        setattr(self.model.config, _LAYER, layer)
        # What the last batch has set is no part of the tokeniser, whose file would be another after each.
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.no_padding()
        try:
            self.model.save_pretrained(unfinished)
            self.tokenizer.save_pretrained(unfinished)
        except Exception as error:  # they raise what they like
            raise HsEnvError(f"The encoder cannot be saved in {folder} ({_in_a_line(error)}).") from error
        mode = (unfinished / "config.json").stat().st_mode  # weights are saved for their owner alone
        for path in unfinished.iterdir():
            path.chmod(mode)
            os.replace(path, folder / path.name)
        unfinished.rmdir()


def _numbers(words: Sequence[int | None]) -> NDArray[np.int64]:
    """The word of each piece, -1 if it is of none."""
    return np.array([-1 if word is None else word for word in words], np.int64)


def _limit(tokenizer: Any, network: Any) -> int:
    """See `PieceEncoder.limit`; 512 where nothing bounds it."""
    # The longest input of some tokenisers is a number beyond all bounds, and some encoders say -1.
    positions = getattr(network.config, "max_position_embeddings", None) or 0
    # RoBERTa and its kin count positions from behind that of padding.
    paddings = (
        module.padding_idx
        for name, module in network.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    )
    return int(min(tokenizer.model_max_length, (positions if positions > 0 else 512) - next(paddings, -1) - 1))


def _space(tokenizer: Any) -> str:
    """See `PieceEncoder.space`."""
    words = tokenizer(["a", "a"], is_split_into_words=True, add_special_tokens=False)
    return "" if words.tokens() == tokenizer.tokenize("a a") else " "


def configuration(folder: Path) -> tuple[int, int, int]:
    """Layers and width of the encoder in a folder, and the layer that is read where none is named.

    Raises:
        HsEnvError: If there is none.
    """
    need_transformers()
    from transformers import AutoConfig

    config = _from_pretrained(AutoConfig, folder)
    try:
        return config.num_hidden_layers, config.hidden_size, getattr(config, _LAYER, config.num_hidden_layers)
    except AttributeError as error:
        raise HsEnvError(f"{folder} holds no Hugging Face encoder of text: {error}") from error


def digest_of(folder: Path) -> str:
    """What changes when a file of the model does."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def model_files(folder: Path) -> list[Path]:
    """The files of the model in a folder."""
    return sorted(path for pattern in _WANTED for path in folder.glob(pattern))


def model_folder(model: str) -> Path:
    """Where the files of a model are.

    Args:
        model: A folder, an installed package with a folder `model`, or a name on the Hugging Face hub.

    Raises:
        HsEnvError: If it is none of these.
    """
    if (path := Path(model).expanduser()).is_dir():
        return path.resolve()
    if model.count("/") > 1 or model[:1] in ("/", ".", "~"):
        raise HsEnvError(f"There is no folder {path.absolute()} with an encoder.")
    package = importlib.util.find_spec(model.replace("-", "_")) if re.fullmatch(r"[\w-]+", model) else None
    if package is not None and package.origin is not None:
        if (path := Path(package.origin).parent / "model").is_dir():
            return path
        raise HsEnvError(f"The package {model!r} holds no model: there is no folder {path}.")
    return _from_hub(model)


@lru_cache  # the hub is asked once a process
def _from_hub(model: str) -> Path:
    need_transformers()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_WANTED)))
    except Exception as error:  # the hub and the network raise what they like
        raise HsEnvError(
            f"There is no encoder {model!r}: no folder, no installed package, and the hub gave none "
            f"({_in_a_line(error)})."
        ) from error


def need_transformers() -> None:
    """Raise an error that says what to install if `transformers` is missing."""
    if importlib.util.find_spec("transformers") is None:
        raise HsEnvError('Contextual vectors need an extra package: pip install "hs-env[contextual]".')


def _from_pretrained(kind: Any, folder: Path, **arguments: Any) -> Any:
    try:
        return kind.from_pretrained(folder, trust_remote_code=False, **arguments)
    except Exception as error:  # it and the readers of its files raise what they like
        raise HsEnvError(f"{folder} holds no Hugging Face encoder that can be loaded ({_in_a_line(error)}).") from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
