"""Phrase segmentation and information distillation of sentences as Gymnasium environments.

Importing the package registers its environments and does nothing else: torch is first imported when one is made.
"""

import gymnasium

__version__ = "0.1.0"


def _register(name: str, entry_point: str, vector_entry_point: str) -> None:
    """Register an environment unless it is: a second registration, as by a reload, would warn."""
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=entry_point, vector_entry_point=vector_entry_point)


_register(
    "hs_env/PhraseSegmentation-v0",
    "hs_env.envs.phrase_segmentation:PhraseSegmentationEnv",
    "hs_env.envs.phrase_segmentation:PhraseSegmentationVectorEnv",
)
_register(
    "hs_env/InformationDistillation-v0",
    "hs_env.envs.information_distillation:InformationDistillationEnv",
    "hs_env.envs.information_distillation:InformationDistillationVectorEnv",
)
