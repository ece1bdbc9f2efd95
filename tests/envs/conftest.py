"""What the tests of environments share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hs_env.envs.phrase_segmentation import PhraseSegmentationEnv
from hs_env.models import HSLSTM, PlainLSTM
from tests.envs.builders import make_classifier, write_corpus


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds `corpus/` and `classifier.safetensors`, a small HS-LSTM, and `plain.safetensors`, a plain LSTM."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("envs")
    (folder / "corpus").mkdir()
    for seed, split in enumerate(("train", "dev", "test")):
        write_corpus(folder / "corpus" / f"{split}.jsonl", 30 - 10 * seed, seed)
    make_classifier(HSLSTM, "negative", "positive").save(folder / "classifier.safetensors")
    make_classifier(PlainLSTM, "negative", "positive").save(folder / "plain.safetensors")
    return folder


@pytest.fixture
def names(folder: Path) -> dict[str, Any]:
    """Arguments of an environment on the small corpus and classifier."""
    return {"corpus": str(folder / "corpus"), "classifier": str(folder)}


@pytest.fixture
def env(names: dict[str, Any]) -> PhraseSegmentationEnv:
    """One on the small corpus and classifier."""
    return PhraseSegmentationEnv(**names)
