"""Character language models that learn boundaries without labels: HM-LSTM, H-Net, segmental ones; and plain LSTMs."""

from hs_env.language.config import LMConfig
from hs_env.language.models import CharacterLM, LanguageModel
from hs_env.language.run import LMRun, resume_lm, train_lm, train_or_resume_lm
from hs_env.language.scores import evaluate_lm
from hs_env.language.texts import TEXTS, Text, load_text

__all__ = [
    "TEXTS",
    "CharacterLM",
    "LMConfig",
    "LMRun",
    "LanguageModel",
    "Text",
    "evaluate_lm",
    "load_text",
    "resume_lm",
    "train_lm",
    "train_or_resume_lm",
]
