"""Load corpora of labelled sentences, tokenise text, and map words to ids."""

from hs_env.corpora.corpus import CORPORA, SPLITS, Corpus, CorpusBuilder, register_corpus
from hs_env.corpora.files import Row, read_rows, to_sentences
from hs_env.corpora.labels import label_names
from hs_env.corpora.loading import load_corpus
from hs_env.corpora.phrases import compose, phrase_sentence
from hs_env.corpora.spec import RowFormat
from hs_env.corpora.tokenisation import TOKENISATIONS, tokenise
from hs_env.corpora.treebanks import Treebank, load_treebank
from hs_env.corpora.vocabulary import SPECIAL_WORDS, Vocabulary

__all__ = [
    "CORPORA",
    "SPECIAL_WORDS",
    "SPLITS",
    "TOKENISATIONS",
    "Corpus",
    "CorpusBuilder",
    "Row",
    "RowFormat",
    "Treebank",
    "Vocabulary",
    "compose",
    "label_names",
    "load_corpus",
    "load_treebank",
    "phrase_sentence",
    "read_rows",
    "register_corpus",
    "to_sentences",
    "tokenise",
]
