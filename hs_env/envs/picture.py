"""Render the sentence of a slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hs_env.envs.episode_end import UNLABELLED
from hs_env.envs.resources import NamedResources
from hs_env.envs.slots import Slots
from hs_env.registry import unknown_name
from hs_env.render import Segmented, to_ansi, to_rgb

RENDER_MODES: Final = ["ansi", "rgb_array"]
"""Render modes: a line of text, or a frame of 288 x 720 pixels."""


LIST_RENDER_MODES: Final = [f"{mode}_list" for mode in RENDER_MODES]
"""Render modes that collect the pictures of all steps, as Gymnasium's `RenderCollection`."""


def check_render_mode(mode: str | None, modes: Sequence[str] = RENDER_MODES) -> None:
    """Check a render mode.

    Raises:
        HsEnvError: If it is neither None nor one of `modes`; the message suggests the nearest spelling.
    """
    if mode is not None and mode not in modes:
        raise unknown_name("render mode", mode, modes)


def picture(
    resources: NamedResources, slots: Slots, row: int, words: tuple[str, ...], log_probs: Tensor | None, mode: str
) -> str | NDArray[np.uint8]:
    """Render the sentence of slot `row`, with the actions so far and, once it is finished, `log_probs` (C,)."""
    labels, label = resources.classifier.labels, int(slots.labels[row])
    actions = tuple(slots.actions[row, : int(slots.position[row])].tolist())
    prediction = None if log_probs is None else labels[int(log_probs.argmax())]
    probability = None if log_probs is None else float(log_probs.max().exp())
    gold = None if label == UNLABELLED else labels[label]
    drawn = Segmented(words, actions, gold, prediction, probability, resources.encoder.problem, unit=resources.unit)
    return to_ansi(drawn) if mode == "ansi" else to_rgb(drawn)
