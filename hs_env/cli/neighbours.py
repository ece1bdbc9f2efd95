"""The command `hs-env neighbours`."""

from __future__ import annotations

import tyro

from hs_env.cli.common import Split, load_policy, print_json_line
from hs_env.errors import HsEnvError
from hs_env.shipped import DEFAULT_RUN


def neighbours(
    phrases: tyro.conf.Positional[tuple[str, ...]],
    run: str = DEFAULT_RUN,
    split: Split = "train",
    k: int = 10,
    json: bool = False,
    device: str = "auto",
) -> None:
    """Show the phrases that an HS-LSTM finds similar to given ones.

    Args:
        phrases: Phrases, one per argument.
        run: Folder of a trained run, name of a run that ships with the package, or hf:owner/name.
        split: Part of the run's corpus to take phrases from.
        k: Number of neighbours per phrase.
        json: Print JSON lines.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.corpora import load_corpus
    from hs_env.evaluation import PhraseIndex
    from hs_env.training.digests import check_data, corpus_digests
    from hs_env.training.run import load_config

    if not phrases:
        raise HsEnvError("Expected one phrase or more.")
    classifier, agent, folder = load_policy(run, device)
    if folder is None:
        corpus = load_corpus(classifier.notes["corpus"])
    else:
        config = load_config(folder)
        corpus = load_corpus(config.corpus, data_dir=config.data_dir)
        check_data(folder, f"corpus {config.corpus!r}", corpus_digests(corpus))
    index = PhraseIndex.of(classifier, agent, corpus.splits[split])
    for phrase in phrases:
        found = index.to_json(phrase, k)
        if json:
            print_json_line(found)
            continue
        print(f"{found['phrase']}  ({found['count']:,} of {sum(index.counts.values()):,} phrases)")
        for near in found["neighbours"]:
            print(f"  {near['similarity']:.3f}  {near['phrase']}  ({near['count']:,})")
