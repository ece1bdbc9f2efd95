"""Text that a language model writes, and the boundaries that it sees in text."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.language.models import LanguageModel, State
from hs_env.language.texts import encode

MARKS = "|‖"
"""What stands behind a character where the boundaries of level 1, and of levels 1 and 2 or more, are."""


@torch.no_grad()
def boundaries_in(language_model: LanguageModel, text: str, before: str = "") -> Tensor:
    """(n, N - 1) int64: the boundaries that HM-LSTM puts behind each character of a text.

    Args:
        language_model: The reader.
        text: At least one character.
        before: What it has read already.

    Raises:
        HsEnvError: If the text is empty or has unknown characters, or the model has no boundaries.
    """
    if not text:
        raise HsEnvError("Give at least one character of text.")
    z = language_model.model(encode(before + text, language_model.alphabet)[:, None])[1]
    if z is None:
        raise HsEnvError("Plain LSTM layers see no boundaries. Take a model whose core is 'hm_lstm'.")
    boundaries: Tensor = z[len(before) :, 0] > 0.5  # soft ones, too
    return boundaries.long()


@torch.no_grad()
def sample_text(
    language_model: LanguageModel, length: int, prompt: str = "\n", temperature: float = 1.0, seed: int = 0
) -> str:
    """Text that follows a prompt.

    Args:
        language_model: The writer.
        length: Characters to write.
        prompt: What it goes on from, at least one character; not part of the result.
        temperature: Log-probabilities are divided by it; 0 always takes the most probable character.
        seed: Of the choice.

    Raises:
        HsEnvError: If the prompt is empty or has unknown characters, or a number is out of range.
    """
    if not prompt or length < 0 or not 0 <= temperature < float("inf"):
        raise HsEnvError(
            f"Expected a prompt, a length from 0 and a temperature from 0, got {prompt!r}, {length} and {temperature}."
        )
    generator = torch.Generator().manual_seed(seed)
    tokens, state, written = encode(prompt, language_model.alphabet)[:, None], None, []
    for _ in range(length):
        log_probs, _, state = _step(language_model, tokens, state)
        if temperature:
            probabilities = torch.softmax(log_probs / temperature, 0)
            token = torch.multinomial(probabilities, 1, generator=generator)
        else:
            token = log_probs.argmax(0, keepdim=True)
        written.append(language_model.alphabet[int(token)])
        tokens = token[:, None]
    return "".join(written)


def _step(language_model: LanguageModel, tokens: Tensor, state: State | None) -> tuple[Tensor, Tensor | None, State]:
    """Log-probabilities (V,) of what comes after the tokens."""
    log_probs, z, state = language_model.model(tokens, state)
    return log_probs[-1, 0], z, state


def marked(text: str, boundaries: Tensor) -> str:
    """The text with its boundaries shown: a level's phrase ends where the detectors up to that level all fire."""
    levels = boundaries.cumprod(1).sum(1).tolist()
    marks = ("", *MARKS)
    return "".join(character + marks[min(level, len(MARKS))] for character, level in zip(text, levels, strict=True))
