"""Cores of character language models: the recurrent layers between the embedding and the softmax, by name."""

from __future__ import annotations

from hs_env.language.cores.core import CORES, Core, CoreOptions, CoreReading, Predict, State
from hs_env.language.cores.h_net import HNetCore
from hs_env.language.cores.hm_lstm import HMCore
from hs_env.language.cores.lstm import NormalisedCore, PlainCore
from hs_env.language.cores.segmental import SegmentalCore

__all__ = [
    "CORES",
    "Core",
    "CoreOptions",
    "CoreReading",
    "HMCore",
    "HNetCore",
    "NormalisedCore",
    "PlainCore",
    "Predict",
    "SegmentalCore",
    "State",
]
