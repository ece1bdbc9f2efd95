"""Sample text from a language model, and find its boundaries in text."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.compute import isolated, seeded
from hs_env.errors import HsEnvError
from hs_env.language.cores import State
from hs_env.language.models import LanguageModel
from hs_env.models.hm.boundary import ended_levels

_COLDEST = 1e-4
"""Lowest temperature of sampling but 0; quotients by lower ones may overflow."""
MARKS = "|‖"
"""Marks after a character with a boundary of level 1 only, and with boundaries of level 1 and 2 (or more)."""


@isolated
@torch.no_grad()
def boundaries_in(language_model: LanguageModel, text: str, before: str = "") -> Tensor:
    """Return where a model finds boundaries after the characters of a text.

    H-Net has a boundary after the first character that it reads, whatever follows. A segmental model has one where a
    boundary is more probable than none, given the whole text.

    Args:
        language_model: Model whose core finds boundaries: "hm_lstm", "h_net" or "segmental".
        text: Text of one character or more.
        before: Text that the model reads first, as context.

    Returns:
        (characters, levels) int64, 1 for a boundary: a column for each layer of HM-LSTM except the top one, for each
        stage of H-Net, or one for a segmental model.

    Raises:
        HsEnvError: If the text is empty or has unknown characters, or the model has no boundaries.
    """
    if not text:
        raise HsEnvError("Give at least one character of text.")
    z = language_model.model(language_model.encode(before + text)[:, None])[1]
    if z is None:
        raise HsEnvError(
            f"{language_model.model.core.title} has no boundaries. Use a model whose core is 'hm_lstm', 'h_net' or "
            "'segmental'."
        )
    boundaries: Tensor = z[len(before) :, 0] > 0.5  # "soft" and segmental boundaries are between 0 and 1
    return boundaries.long()


@isolated
@torch.no_grad()
def sample_text(
    language_model: LanguageModel, length: int, prompt: str = "\n", temperature: float = 1.0, seed: int = 0
) -> str:
    """Return a sampled continuation of a prompt.

    Args:
        language_model: Model to sample from.
        length: Number of characters to sample.
        prompt: Text to continue, at least one character. The result does not include it.
        temperature: Divisor of the log-probabilities, 1e-4 or more; 0 always selects the most probable character.
        seed: Seed of the sampling, from 0.

    Raises:
        HsEnvError: If the prompt is empty or has unknown characters, or a number is out of range.
    """
    if not prompt:
        raise HsEnvError("The prompt is empty. Give at least one character, which the model reads first.")
    if length < 0:
        raise HsEnvError(f"The length is a number of characters, 0 or more, got {length}.")
    if not (temperature == 0 or _COLDEST <= temperature < float("inf")):
        raise HsEnvError(f"The temperature is 0, or from {_COLDEST} and finite, got {temperature}.")
    if not 0 <= seed < 2**63:
        raise HsEnvError(f"The seed is a whole number from 0 and below 2^63, got {seed}.")
    generator = seeded(seed)
    tokens, written = language_model.encode(prompt)[:, None], []
    state: State | None = None
    for _ in range(length):
        log_probs, _, state = language_model.model(tokens, state)
        last = log_probs[-1, 0].cpu()  # one character at a time leaves the device
        if temperature:
            token = torch.multinomial(torch.softmax(last / temperature, 0), 1, generator=generator)
        else:
            token = last.argmax(0, keepdim=True)
        written.append(language_model.alphabet[int(token)])
        tokens = token[:, None].to(tokens.device)
    return "".join(written)


def marked_sample(
    language_model: LanguageModel, length: int, prompt: str, temperature: float = 1.0, seed: int = 0
) -> str:
    """Sample a text as `sample_text` does, with marks at its boundaries if the model finds any."""
    text = sample_text(language_model, length, prompt, temperature, seed)
    if not (text and language_model.model.core.finds_boundaries):
        return text
    return marked(text, boundaries_in(language_model, text, prompt))


def marked(text: str, boundaries: Tensor) -> str:
    """Return the text with `MARKS`. A phrase of a level ends where all detectors up to that level fire."""
    levels = ended_levels(boundaries).tolist()
    marks = ("", *MARKS)
    return "".join(character + marks[min(level, len(MARKS))] for character, level in zip(text, levels, strict=True))
