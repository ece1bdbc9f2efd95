"""Use a trained classifier on new texts: labels, probabilities, phrases and vectors."""

from hs_env.inference.predictor import Predictor, load
from hs_env.inference.text_prediction import TextPrediction

__all__ = ["Predictor", "TextPrediction", "load"]
