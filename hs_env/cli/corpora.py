"""The command `hs-env corpora`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from hs_env.cli.help import join_lines
from hs_env.cli.reading import ReadingOptions
from hs_env.corpora import CORPORA, Corpus, load_corpus
from hs_env.errors import HsEnvError
from hs_env.registry import stem_of

join_lines(ReadingOptions)


def corpora(
    name: tyro.conf.Positional[str | None] = None,
    data_dir: Path | None = None,
    reading: Annotated[ReadingOptions, tyro.conf.arg(name="")] = ReadingOptions(),  # noqa: B008
) -> None:
    """List the corpora, or describe one and show sentences of it.

    Args:
        name: Name or path of a corpus.
        data_dir: Folder that contains the data sets which are not built in.
        reading: How the corpus is read.
    """
    if name is None:
        if data_dir is not None or reading != ReadingOptions():
            raise HsEnvError("These options describe how a corpus is read. Name the corpus, or leave them out.")
        _print_list()
    else:
        _print_description(load_corpus(reading.add_to(name), data_dir=data_dir))


def _print_list() -> None:
    table = Table("Name", "Description", box=None, padding=(0, 2, 0, 0))
    for full, builder in CORPORA.items():
        table.add_row(stem_of(full), (builder.__doc__ or "").strip().split("\n")[0])
    table.add_row("hf:NAME", "A data set of the Hugging Face hub.")
    table.add_row("PATH", "A JSON lines, CSV, TSV, Parquet or .all file, or a folder with train, dev and test files.")
    Console().print(table)


def _print_description(corpus: Corpus) -> None:
    from hs_env.problems import PROBLEMS  # needs torch, unlike the list
    from hs_env.render import Segmented, to_text

    print(corpus.description, corpus.source, sep="\n")
    columns = (Column(split, justify="right") for split in corpus.splits)
    table = Table("Class", *columns, box=None, padding=(0, 2, 0, 2))
    for at, label in enumerate(corpus.labels):
        counts = (sum(each.label == at for each in sentences) for sentences in corpus.splits.values())
        table.add_row(Text(label), *(f"{count:,}" for count in counts))
    Console().print(table, "")
    problem = PROBLEMS.get(corpus.problem)
    for sentence in corpus.splits["train"][:8]:
        label = corpus.labels[sentence.label]
        if sentence.gold_actions:
            drawn = Segmented(sentence.words, sentence.gold_actions, None, label, None, problem, unit=sentence.unit)
            print(f"  {to_text(drawn)}")
        else:
            print(f"  {sentence.text}  → {label}")
