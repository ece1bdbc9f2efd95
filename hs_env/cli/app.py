"""The command line: `hs-env train | evaluate | report | structure | neighbours | segment | corpora | rewards | lm`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hs_env.agents import Agent, ReinforceConfig, SB3Config, load_agent, rollout
from hs_env.cli import lm as lm_commands
from hs_env.cli.help import join_lines
from hs_env.corpora import CORPORA, load_corpus, load_treebank
from hs_env.errors import HsEnvError
from hs_env.evaluation import Comparison, PhraseIndex, compare, compare_structure
from hs_env.language import LMConfig
from hs_env.metrics.scores import hierarchy_examples, segmented_examples
from hs_env.models import Classifier, HMLSTMClassifier, StructuredEncoder, shipped_runs
from hs_env.models.classifier import ENCODER
from hs_env.render import Segmented, to_ansi, to_text
from hs_env.render.episodes import hierarchies, segmented
from hs_env.report import make_report
from hs_env.rewards import REWARDS, describe_parameters
from hs_env.storage import write_atomically
from hs_env.training.config import TrainConfig
from hs_env.training.run import Run, load_config
from hs_env.training.run import resume as resume_run
from hs_env.training.run import train as train_run
from hs_env.training.trainer import AGENT
from hs_env.types import Sentence

Format = Literal["table", "json", "csv", "markdown"]
Split = Literal["train", "dev", "test"]

join_lines(TrainConfig, ReinforceConfig, SB3Config, LMConfig)

_LINES = 256  # sentences that are segmented together when input is piped


def train(
    config: Annotated[TrainConfig, tyro.conf.arg(name="")],
    out: Path | None = None,
    resume: Path | None = None,
) -> None:
    """Train HS-LSTM or ID-LSTM jointly, or a classifier without structure, and compare it with the baselines.

    Args:
        config: What to train.
        out: Folder of the new run; by default runs/CORPUS-DATE-TIME.
        resume: Folder of a stopped run to go on with; all other options are the ones it was started with.
    """
    console = Console(stderr=True)
    if resume is not None:
        if config != TrainConfig() or out is not None:
            raise HsEnvError("--resume goes on with the options that the run was started with. Give no others.")
        run = resume_run(resume, console)
    else:
        run = train_run(config, out, console)
    _show_comparison(run, "test", console)
    _show_examples(run)
    print(f"\nThe run is in {run.folder}")
    if run.config.encoder_rate:
        print(f"Its encoder, for other runs: --vectors hf:{run.folder / ENCODER}")


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Split = "test",
    format: Format = "table",
    oracle: int = 0,
    policy: tuple[Path, ...] = (),
    samples: int = 0,
) -> None:
    """Compare a trained run with the baseline policies and a plain LSTM.

    Args:
        run: Folder of the run.
        split: Sentences to evaluate on.
        format: What is printed; the run's folder gets JSON and CSV in any case.
        oracle: Width of a beam, such as 16, that searches what a perfect P-Net could gain; 0 searches nothing.
        policy: Folders of runs of HM-LSTM, whose lowest boundaries segment for this run's classifier.
        samples: Readings of each sentence by drawn decisions, whose class probabilities are averaged; 0 draws none.
    """
    _show_comparison(Run.load(run), split, Console(stderr=True), format, oracle, policy, samples)


def report(runs: tyro.conf.Positional[tuple[Path, ...]], out: Path, split: Split = "test", oracle: int = 0) -> None:
    """Write one HTML page on trained runs: tables, learning curves, sentences, configuration.

    Args:
        runs: Folders of runs.
        out: The page, which must not exist yet.
        split: Sentences to evaluate on.
        oracle: As of `hs-env evaluate`.
    """
    if out.exists():
        raise HsEnvError(f"{out} exists already. Remove it, or write to another file.")
    page = make_report([Run.load(folder) for folder in runs], split, Console(stderr=True), oracle)
    write_atomically(out, page.encode())
    print(f"The report is in {out}")


def structure(
    treebank: tyro.conf.Positional[Literal["conll2000", "sst"]],
    run: str = "phrases",
    data_dir: Path | None = None,
    split: Split = "test",
    format: Format = "table",
) -> None:
    """Compare the phrases of a run with chunks (CoNLL-2000) or with the constituents of trees (SST).

    Args:
        treebank: What to compare with.
        run: Folder of a trained run, which gets JSON and CSV; or name of one that ships with the package.
        data_dir: Folder that holds the treebank's folder.
        split: Sentences to compare on; CoNLL-2000 has no dev.
        format: What is printed.
    """
    classifier, _, agent = _load(run)
    bank = load_treebank(treebank, data_dir=data_dir, split=split, tokenisation=classifier.tokenisation)
    comparison = compare_structure(classifier, agent, bank)
    if run not in shipped_runs():
        comparison.save(Path(run), f"structure-{treebank}-{split}")
    _print(comparison, format)


def neighbours(
    phrases: tyro.conf.Positional[tuple[str, ...]],
    run: str = "phrases",
    split: Split = "train",
    k: int = 10,
    json: bool = False,
) -> None:
    """Show the phrases most like those given, to a run's HS-LSTM, among all that its policy makes of a split.

    Args:
        phrases: Phrases, each one argument.
        run: Folder of a trained run, or name of one that ships with the package.
        split: Sentences to take phrases from: of the run's corpus, or of `phrases`.
        k: Neighbours of each phrase.
        json: Print JSON lines.
    """
    classifier, _, agent = _load(run)
    config = TrainConfig(corpus="phrases") if run in shipped_runs() else load_config(Path(run))
    corpus = load_corpus(config.corpus, data_dir=config.data_dir)
    index = PhraseIndex.of(classifier, agent, corpus.splits[split])
    for phrase in phrases:
        found = index.to_json(phrase, k)
        if json:
            print(_json_line(found))
            continue
        print(f"{found['phrase']}  ({found['count']:,} of {sum(index.counts.values()):,} phrases)")
        for near in found["neighbours"]:
            print(f"  {near['similarity']:.3f}  {near['phrase']}  ({near['count']:,})")


def segment(
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    run: str = "phrases",
    json: bool = False,
) -> None:
    """Segment or distil sentences and classify them, given as arguments or line by line on standard input.

    Args:
        texts: The sentences; none reads standard input.
        run: Folder of a trained run, or name of one that ships with the package.
        json: Print JSON lines.
    """
    lines = texts or (line.strip() for line in sys.stdin if line.strip())
    read = _reader(run, json)
    for chunk in _chunks(lines, 1 if sys.stdin.isatty() else _LINES):
        for line in read(chunk):
            print(line, flush=True)


def _reader(run: str, as_json: bool) -> Callable[[Sequence[str]], Iterator[str]]:
    """What makes lines to print of texts."""
    classifier = Classifier.load(run)
    read = _hierarchies(classifier) if isinstance(classifier.model, HMLSTMClassifier) else _segmentations(run)

    def lines(texts: Sequence[str]) -> Iterator[str]:
        sentences = [classifier.sentence(text) for text in texts]
        for text, shown in zip(texts, read(sentences), strict=True):
            yield _as_json(text, shown) if as_json else (to_ansi if sys.stdout.isatty() else to_text)(shown)

    return lines


def _hierarchies(classifier: Classifier) -> Callable[[Sequence[Sentence]], Iterable[Segmented]]:
    """Reads sentences with HM-LSTM, which finds phrases by itself."""
    model = classifier.model
    assert isinstance(model, HMLSTMClassifier)
    return lambda sentences: hierarchies(model, classifier.batch(sentences), sentences, classifier.labels, gold=False)


def _segmentations(run: str) -> Callable[[Sequence[Sentence]], Iterable[Segmented]]:
    """Reads sentences with a structured encoder, by the decisions of its agent."""
    classifier, encoder, agent = _load(run)

    def read(sentences: Sequence[Sentence]) -> Iterable[Segmented]:
        with torch.no_grad():
            episodes = rollout(encoder, agent, classifier.batch(sentences), deterministic=True).episodes
        return segmented(episodes, sentences, classifier.labels, gold=False, task=encoder.task)

    return read


def corpora(name: tyro.conf.Positional[str | None] = None, data_dir: Path | None = None) -> None:
    """List the corpora, or describe one and show some of its sentences.

    Args:
        name: Name or path of a corpus.
        data_dir: Folder that holds the data sets which are not built in.
    """
    console = Console()
    if name is None:
        table = Table("Name", "What it is", box=None, padding=(0, 2, 0, 0))
        for full in CORPORA:
            table.add_row(full.rpartition(".")[0], (CORPORA.get(full).__doc__ or "").strip().split("\n")[0])
        table.add_row("hf:NAME", "A data set of the Hugging Face hub.")
        table.add_row("PATH", "A JSON lines, CSV or TSV file, or a folder with train, dev and test files.")
        return console.print(table)
    corpus = load_corpus(name, data_dir=data_dir)
    print(corpus.description, corpus.source, sep="\n")
    for sentence in corpus.splits["train"][:8]:
        if sentence.gold_actions:
            print(
                "  "
                + to_text(Segmented(sentence.words, sentence.gold_actions, prediction=corpus.labels[sentence.label]))
            )
        else:
            print(f"  {' '.join(sentence.words)}  → {corpus.labels[sentence.label]}")
    return None


def rewards() -> None:
    """List the rewards, to be named in expressions such as `log_likelihood + 0.1 * boundary_f1`."""
    table = Table("Name", "What it is", "Parameters", box=None, padding=(0, 2, 0, 0))
    for name in REWARDS:
        try:
            maker = REWARDS.get(name)
            row = (maker.__doc__ or "").strip().split("\n")[0], describe_parameters(maker)
        except (HsEnvError, TypeError) as error:  # a plug-in that cannot be loaded, or is nothing to call
            row = str(error), ""
        table.add_row(*(Text(cell) for cell in (name, *row)))
    table.add_row("MODULE:NAME", "A subclass of hs_env.rewards.Reward in a module of yours.", "its own")
    Console().print(table)


def lm() -> None:
    """Character language models: `hs-env lm train | evaluate | sample`."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `hs-env`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    prog, description = "hs-env", __doc__
    commands: dict[str, Callable[..., None]] = {
        "train": train,
        "evaluate": evaluate,
        "report": report,
        "structure": structure,
        "neighbours": neighbours,
        "segment": segment,
        "corpora": corpora,
        "rewards": rewards,
        "lm": lm,
    }
    if arguments[:1] == ["lm"]:
        prog, description, commands, arguments = "hs-env lm", lm_commands.__doc__, lm_commands.COMMANDS, arguments[1:]
    try:
        tyro.extras.subcommand_cli_from_dict(commands, prog=prog, description=description, args=arguments)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except (HsEnvError, OSError) as error:
        Console(stderr=True).print(Text.assemble(("hs-env: ", "bold red"), str(error)), soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _show_comparison(
    run: Run,
    split: str,
    console: Console,
    format: Format = "table",
    oracle: int = 0,
    policies: tuple[Path, ...] = (),
    samples: int = 0,
) -> None:
    comparison = compare(run, split, console, oracle, policies, samples)
    _print(comparison, format)
    if format == "table":
        if comparison.deletions is not None:
            Console().print(comparison.deletions.to_rich())
        if comparison.recurring is not None and comparison.recurring.phrases:
            Console().print(comparison.recurring.to_rich())


def _print(comparison: Comparison, format: Format) -> None:
    if format == "table":
        out = Console()
        for part in comparison.parts():
            out.print(part.to_rich(out.width))
    else:
        printed = {"json": _json_text, "csv": Comparison.to_csv, "markdown": Comparison.to_markdown}
        print(printed[format](comparison))


def _json_text(comparison: Comparison) -> str:
    return json.dumps(comparison.to_json(), indent=2)


def _load(run: str) -> tuple[Classifier, StructuredEncoder, Agent]:
    """Classifier, encoder and agent of a run's folder, or of a run that ships with the package."""
    classifier = Classifier.load(run)
    if not isinstance(classifier.model, StructuredEncoder):
        raise HsEnvError(f"The model of {run} is a {classifier.model.title}, which takes a sentence as it is.")
    return classifier, classifier.model, load_agent(shipped_runs().get(run, Path(run)) / AGENT)


def _show_examples(run: Run) -> None:
    """Sentences of dev, segmented or distilled."""
    model = run.classifier.model
    if isinstance(model, HMLSTMClassifier):
        examples = hierarchy_examples(model, *run.data("dev").examples())
    elif isinstance(model, StructuredEncoder) and run.agent is not None:
        examples = segmented_examples(model, run.agent, *run.data("dev").examples())
    else:
        return
    print()
    for shown in examples:
        print(to_ansi(shown) if sys.stdout.isatty() else to_text(shown))


def _as_json(text: str, shown: Segmented) -> str:
    structure: dict[str, list[Any]]
    if shown.task.structure == "selection":
        structure = {"retained": list(shown.retained)}
    elif shown.ends:
        structure = {"phrases": shown.nested}
    else:
        structure = {"phrases": [" ".join(phrase) for phrase in shown.phrases]}
    value = {"text": text, **structure, "label": shown.prediction, "probability": shown.probability}
    return _json_line(value)


def _json_line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _chunks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, size)):
        yield chunk
