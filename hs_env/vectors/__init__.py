"""Load word vectors: static ones from files, and contextual ones that an encoder computes for each sentence."""

from hs_env.vectors.contextual import ContextualVectors, is_contextual, load_contextual
from hs_env.vectors.static import WordVectors, load_vectors

__all__ = ["ContextualVectors", "WordVectors", "is_contextual", "load_contextual", "load_vectors"]
