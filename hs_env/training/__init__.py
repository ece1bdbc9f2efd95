"""Joint training of P-Net and C-Net, and runs on disk."""

from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.run import Run, resume, train, train_or_resume
from hs_env.training.stages import Callback

__all__ = ["Callback", "Run", "TrainConfig", "TrainingData", "resume", "train", "train_or_resume"]
