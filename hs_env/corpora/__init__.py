"""Corpora: labelled sentences, their words, and word vectors. Nothing here imports torch but `encoded`."""

from hs_env.corpora.corpus import CORPORA, SPLITS, Corpus, CorpusBuilder, register_corpus
from hs_env.corpora.files import Row, label_names, read_rows, to_sentences
from hs_env.corpora.loading import load_corpus
from hs_env.corpora.movie_reviews import movie_reviews
from hs_env.corpora.phrases import compose, phrase_sentence, phrases
from hs_env.corpora.published import ag_news, mr, sst2, sst5, subj
from hs_env.corpora.tokenisation import TOKENISATIONS, tokenise
from hs_env.corpora.vectors import WordVectors, load_vectors
from hs_env.corpora.vocabulary import SPECIAL_WORDS, Vocabulary

__all__ = [
    "CORPORA",
    "SPECIAL_WORDS",
    "SPLITS",
    "TOKENISATIONS",
    "Corpus",
    "CorpusBuilder",
    "Row",
    "Vocabulary",
    "WordVectors",
    "ag_news",
    "compose",
    "label_names",
    "load_corpus",
    "load_vectors",
    "movie_reviews",
    "mr",
    "phrase_sentence",
    "phrases",
    "read_rows",
    "register_corpus",
    "sst2",
    "sst5",
    "subj",
    "to_sentences",
    "tokenise",
]
