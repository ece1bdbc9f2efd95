"""The registry of decision problems and the ids of their environments. It imports neither torch nor a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hs_env.registry import Registry

if TYPE_CHECKING:
    from hs_env.problems.problem import Problem

PROBLEMS: Final[Registry[Problem]] = Registry(
    "problem",
    group="hs_env.problems",
    first_version=0,  # environments begin at v0
    own={
        "chunking.v0": "hs_env.problems.chunking:CHUNKING",
        "composition.v0": "hs_env.problems.composition:COMPOSITION",
        "information_distillation.v0": "hs_env.problems.distillation:DISTILLATION",
        "phrase_modules.v0": "hs_env.problems.modules:MODULES",
        "phrase_segmentation.v0": "hs_env.problems.segmentation:SEGMENTATION",
        "skimming.v0": "hs_env.problems.skimming:SKIMMING",
    },
)
"""Decision problems by versioned name, from which `environment_id` derives the id of the environment."""


def class_stem(name: str) -> str:
    """Return the prefix of the environment classes: `PhraseSegmentation` for `phrase_segmentation.v0`."""
    stem, _, version = name.rpartition(".v")
    camel = "".join(part[:1].upper() + part[1:] for part in stem.split("_"))
    return camel if version == "0" else f"{camel}V{version}"


def environment_id(name: str) -> str:
    """Return the Gymnasium id: `hs_env/PhraseSegmentation-v0` for `phrase_segmentation.v0`."""
    stem, _, version = name.rpartition(".v")
    return f"hs_env/{class_stem(f'{stem}.v0')}-v{version}"
