"""Runs of character language models on disk: start, resume and load them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hs_env.language.config import LMConfig
from hs_env.language.models import LanguageModel
from hs_env.language.scores import evaluate_lm
from hs_env.language.texts import encode, load_text
from hs_env.language.trainer import LMTrainer
from hs_env.storage import write_json
from hs_env.training.folders import RunKind


@dataclass(frozen=True)
class LMRun:
    """A finished run.

    Attributes:
        folder: Folder of the run.
        config: Configuration of the run.
        language_model: Model with the weights that scored best on dev.
        history: Scores of every evaluation on dev, with `updates` and `cpu_seconds` until then.
    """

    folder: Path
    config: LMConfig
    language_model: LanguageModel
    history: list[dict[str, float]]

    @classmethod
    def load(cls, folder: Path) -> LMRun:
        """Load a finished run: see `RunKind.load`."""
        return _KIND.load(folder)

    def evaluate(self, split: str) -> dict[str, float]:
        """Return scores on "train", "dev" or "test" (see `evaluate_lm`), and save them in the run's folder."""
        text = load_text(self.config.text, self.config.data_dir)
        scores = evaluate_lm(self.language_model.model, encode(getattr(text, split), self.language_model.alphabet))
        write_json(self.folder / f"evaluation-{split}.json", scores)
        return scores


def _new_trainer(config: LMConfig, folder: Path, console: Console) -> LMTrainer:
    return LMTrainer(config, load_text(config.text, config.data_dir), folder, console)


def _load_result(folder: Path, config: LMConfig, history: list[dict[str, float]]) -> LMRun:
    return LMRun(folder, config, LanguageModel.load(folder), history)


_KIND = RunKind[LMConfig, LMConfig, LMRun](
    "hs-env lm train", "text", lambda config: config, LMConfig.from_json, _new_trainer, _load_result
)
train_lm, resume_lm = _KIND.train, _KIND.resume
