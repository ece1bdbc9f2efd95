"""Provide structured encoders, flat classifiers, and saved classifiers."""

from hs_env.models.attentive_hs_lstm import AttentiveHSLSTM
from hs_env.models.bilstm import BiLSTM
from hs_env.models.check import check_encoder
from hs_env.models.chunk_lstm import ChunkLSTM
from hs_env.models.classifier import MODELS, Classifier, find_classifier
from hs_env.models.cnn import CNN
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.h_net.classifier import HNetClassifier
from hs_env.models.hm.classifier import HMLSTMClassifier
from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.id_lstm import IDLSTM
from hs_env.models.nested import NestedClassifier
from hs_env.models.phrase_modules import PhraseModuleNetwork
from hs_env.models.plain_lstm import PlainLSTM
from hs_env.models.self_attentive import SelfAttentive
from hs_env.models.sentence import FlatClassifier, SentenceClassifier
from hs_env.models.skim_lstm import SkimLSTM
from hs_env.models.state import EncoderState
from hs_env.models.tree_lstm import TreeLSTM
from hs_env.shipped import DEFAULT_RUN, shipped_runs

__all__ = [
    "CNN",
    "DEFAULT_RUN",
    "HSLSTM",
    "IDLSTM",
    "MODELS",
    "AttentiveHSLSTM",
    "BiLSTM",
    "ChunkLSTM",
    "Classifier",
    "EncoderState",
    "FlatClassifier",
    "HMLSTMClassifier",
    "HNetClassifier",
    "NestedClassifier",
    "PhraseModuleNetwork",
    "PlainLSTM",
    "SelfAttentive",
    "SentenceClassifier",
    "SkimLSTM",
    "StructuredEncoder",
    "TreeLSTM",
    "check_encoder",
    "find_classifier",
    "shipped_runs",
]
