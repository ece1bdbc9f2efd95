"""The command `hs-env segment`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

import tyro

from hs_env.cli.common import print_json_line
from hs_env.cli.streams import argument_text, input_lines, shows_colours
from hs_env.shipped import DEFAULT_RUN

_CHUNK: Final = 256
"""Number of sentences that are segmented together when standard input is not a terminal."""


def segment(
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    run: str = DEFAULT_RUN,
    json: bool = False,
    device: str = "auto",
) -> None:
    """Segment or distil sentences, and classify them.

    There is a line for each sentence, also for an empty one.

    Args:
        texts: Sentences, one per argument; without any, standard input is read, one sentence per line.
        run: Folder of a trained run, or name of a run that ships with the package.
        json: Print JSON lines, with the probabilities of all classes and the share of unknown words.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.inference import load
    from hs_env.render import to_ansi, to_text

    predictor = load(run, device)
    to_line = to_ansi if shows_colours() else to_text
    interactive = not texts and sys.stdin is not None and sys.stdin.isatty()
    given: Iterable[str] = texts or input_lines()
    sentences = (argument_text(text.strip()) for text in given)
    for prediction in predictor.stream(sentences, 1 if interactive else _CHUNK):
        if json:
            print_json_line(prediction.to_json())
        else:
            print("" if prediction.segmented is None else to_line(prediction.segmented), flush=True)
