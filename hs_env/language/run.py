"""Runs of character language models on disk: start, resume and load them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hs_env.compute import Device, find_device, isolated
from hs_env.corpora import SPLITS
from hs_env.errors import HsEnvError
from hs_env.language.config import LMConfig
from hs_env.language.models import LanguageModel
from hs_env.language.scores import evaluate_lm
from hs_env.language.texts import Text, load_text
from hs_env.language.trainer import LMTrainer
from hs_env.registry import unknown_name
from hs_env.shipped import LANGUAGE_MODEL
from hs_env.storage import HISTORY, StrPath, write_json
from hs_env.training.digests import check_data, text_digests
from hs_env.training.folders import saving
from hs_env.training.run_kind import RunKind


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
    def load(cls, folder: StrPath, device: Device = "auto") -> LMRun:
        """Load a finished run to a device: see `RunKind.load`."""
        return _KIND.load(folder, device)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the training; 0 if the history does not tell."""
        return max((entry.get("cpu_seconds", 0.0) for entry in self.history), default=0.0)

    @isolated
    def evaluate(self, split: str, console: Console | None = None, text: Text | None = None) -> dict[str, float]:
        """Return scores on "train", "dev" or "test" (see `evaluate_lm`).

        Args:
            split: Part of the text.
            console: Console for a warning if the run's folder cannot be written; by default standard error.
            text: Other text than that of the run. Without one, the scores are saved in the run's folder.

        Raises:
            HsEnvError: If the split is unknown, the text of the run cannot be loaded or has changed, or a character of
                the other text is not in the alphabet of the model.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        is_own = text is None
        if text is None:
            text = load_text(self.config.text, self.config.data_dir)
            check_data(self.folder, f"text {self.config.text!r}", text_digests(text.parts))
        model, encoded = self.language_model.model, self.language_model.encode(text.parts[split])
        scores = evaluate_lm(model, encoded, alphabet=self.language_model.alphabet, ends=text.word_ends(split))
        if is_own:
            with saving(console):
                write_json(self.folder / f"evaluation-{split}.json", scores)
        return scores


def _new_trainer(config: LMConfig, folder: Path, console: Console) -> LMTrainer:
    text = load_text(config.text, config.data_dir)
    return LMTrainer(config, text, folder, console, find_device(config.device))


def _load_result(folder: Path, config: LMConfig, history: Any, device: Device) -> LMRun:
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise HsEnvError(f"{folder / HISTORY} holds no list of evaluations. Was it edited?")
    return LMRun(folder, config, LanguageModel.load(folder / LANGUAGE_MODEL, device), history)


_KIND = RunKind[LMConfig, LMConfig, LMRun](
    "hs-env lm train", "text", lambda config: config, LMConfig.from_json, _new_trainer, _load_result
)
train_lm, resume_lm, train_or_resume_lm = _KIND.train, _KIND.resume, _KIND.train_or_resume
