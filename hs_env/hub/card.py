"""The model card of a run, made from its record: what it is, figures with intervals, how to repeat it, licences."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import hs_env
from hs_env.corpora import SPLITS, Corpus, load_corpus
from hs_env.errors import HsEnvError, shown
from hs_env.hub.contents import MODELS, check_run, folder_of, model_of, without_paths
from hs_env.hub.hugging_face import library
from hs_env.language import LMConfig, load_text
from hs_env.language.cores import CORES
from hs_env.models.classifier import MODELS as KINDS
from hs_env.shipped import LANGUAGE_MODEL
from hs_env.storage import StrPath, load_state, read_json
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.folders import CONFIG, RECORD

_PLACEHOLDER: Final = "OWNER/NAME"
"""Repository in a card whose repository is not known yet."""

_FREE: Final = {"MIT": "mit", "public domain": "mit", "no licence needed": "mit", "CC BY 4.0": "cc-by-4.0"}
"""Licence of the hub for a run, by what the origin of its data says; any other is "other"."""

_VECTORS: Final = {
    "glove-6b-50d": "GloVe 6B (Pennington et al. 2014), PDDL 1.0",
    "random": "drawn at random, no licence",
}

_SAFETY: Final = (
    "The files are safetensors and JSON. Loading them executes no code. The model is small and made for research: do "
    "not use it for decisions about people. It repeats the biases of its data, and its probabilities mean little for "
    "texts of another kind or language."
)

_CARD: Final = """\
{front}

# {title}

{what}

{use}

## Figures

{figures}

## Training

{origin}

```sh
{command}
```

{settings}

## Licences

{licences}

## Safety

{safety}
"""


def make_card(run: StrPath, repo: str | None = None) -> str:
    """Return the model card of a run, Markdown with YAML at its head, as the hub expects it.

    Args:
        run: Folder of a finished run, or name of a run that ships with the package.
        repo: Repository of the run, `owner/name`; None writes a placeholder.

    Raises:
        HsEnvError: If the folder holds no finished run, or the library of the hub is not installed.
    """
    folder, repo = folder_of(run), repo or _PLACEHOLDER
    check_run(folder)
    name = model_of(folder)
    state = load_state(folder / name, MODELS[name])
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    notes = state.get("notes")
    if not isinstance(notes, dict):
        raise HsEnvError(f"{folder / name} has no notes. Was it edited?")
    of_text = name == LANGUAGE_MODEL
    data = str(config.get("text" if of_text else "corpus") or notes.get("corpus") or "unknown")
    source = _source(data, config.get("data_dir"), of_text)
    clean = without_paths(config)
    figures = list(_figures(folder, notes, of_text))
    what, loading = (_language_model if of_text else _classifier)(state, repo)
    parts = {
        "front": _front(repo, without_paths(data), source, of_text, figures),
        "title": repo.rpartition("/")[2],
        "what": f"{what}, trained with hs-env {_version(folder)} on "
        f"`{without_paths(data)}`{f' ({source})' if source else ''}.",
        "use": f"```python\n{loading}\n```",
        "figures": _table(figures, of_text),
        "origin": "This command repeats the training:",
        "command": command_of(clean, of_text)
        if clean
        else f"python {notes.get('made_by', 'scripts/make_classifier.py')}",
        "settings": _settings(clean),
        "licences": _licences(
            without_paths(data), source, str(clean.get("vectors") or notes.get("vectors") or ""), of_text
        ),
        "safety": _SAFETY,
    }
    return _CARD.format(**parts)


def command_of(config: Mapping[str, Any], of_text: bool = False) -> str:
    """Return the command that trains with a configuration: the options that differ from their defaults.

    Args:
        config: Configuration of a run, as in its `config.json`.
        of_text: Whether it is one of a language model.

    Raises:
        HsEnvError: If the configuration is not valid.
    """
    values = dict(config)
    if of_text:
        defaults, values = LMConfig().to_json(), LMConfig.from_json(values).to_json()
        return " ".join(["hs-env lm train", *_options(values, defaults)])
    chosen = ResolvedConfig.from_json(values)
    agent = chosen.agent or TrainConfig.agent
    start = TrainConfig(model=chosen.model, init_from=chosen.init_from, agent=agent).resolve()
    values, defaults = asdict(chosen), asdict(start)
    given = {key: {} if key.endswith("_parameters") else value for key, value in values.items()}
    named = {"model": TrainConfig.model, "agent": TrainConfig.agent if chosen.agent else ""}
    options = [
        *_options(
            given, {**defaults, **named, "model_parameters": {}, "agent_parameters": {}, "reward_parameters": {}}
        ),
        *_options(values["model_parameters"], defaults["model_parameters"]),
        *_options(values["agent_parameters"], defaults["agent_parameters"], "agent."),
    ]
    if rewards := values["reward_parameters"]:
        options += ["--reward-parameters", *(shlex.quote(str(part)) for pair in rewards.items() for part in pair)]
    return " ".join(["hs-env train", *options])


def _options(values: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the options of the command line for values that differ from their defaults."""
    for name, value in values.items():
        if value == defaults.get(name) or value is None:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool) and isinstance(defaults.get(name), bool) and name != "reward_dropout":
            yield f"--{prefix}{flag}" if value else f"--{prefix}no-{flag}"
        else:
            yield f"--{prefix}{flag}"
            yield shlex.quote(str(value))


def _source(data: str, data_dir: Any, of_text: bool) -> str:
    """Return origin and licence of a corpus or text; nothing if it cannot be loaded here."""
    try:
        return load_text(data, data_dir).source if of_text else _small_corpus(data, data_dir).source
    except (HsEnvError, OSError):
        return ""


def _small_corpus(name: str, data_dir: Any) -> Corpus:
    """Load a corpus, of a generated one only a sentence per split: its origin does not depend on their number."""
    with suppress(HsEnvError):  # other corpora refuse sizes before they read a file
        return load_corpus(name.partition(":")[0], data_dir=data_dir, sizes=dict.fromkeys(SPLITS, 1))
    return load_corpus(name, data_dir=data_dir)


def _classifier(state: Mapping[str, Any], repo: str) -> tuple[str, str]:
    """Return what a classifier is, and the code that loads it."""
    title, labels, words = KINDS.get(state["model"]).title, state["labels"], state["words"]
    what = f"A text classifier ({title}) with {len(words):,} words and the classes {', '.join(map(_code, labels))}"
    code = f'import hs_env\n\nclassifier = hs_env.load("hf:{repo}")\nclassifier.predict(["a text"])'
    return what, code


def _language_model(state: Mapping[str, Any], repo: str) -> tuple[str, str]:
    """Return what a language model is, and the code that loads it."""
    config = state["config"]
    core, size = CORES.get(config["core"]).title, f"{config['layers']} layers of {config['hidden_size']} units"
    what = f"A character language model ({core}, {size}) with {len(state['alphabet'])} characters"
    imports = "from hs_env.hub import local\nfrom hs_env.language import LanguageModel"
    code = f'{imports}\n\nmodel = LanguageModel.load(local("hf:{repo}"))'
    return what, code


class Figure(NamedTuple):
    """A score of a split; `low` and `high` are the ends of its interval, if there is one."""

    name: str
    split: str
    value: float
    low: float | None = None
    high: float | None = None


def _figures(folder: Path, notes: Mapping[str, Any], of_text: bool) -> Iterator[Figure]:
    """Yield the figures of a run: those of its evaluations, or else those in the notes of its model."""
    metric = "bits_per_character" if of_text else "accuracy"
    evaluated = False
    for split in ("test", "dev"):
        path = folder / f"evaluation-{split}.json"
        if not path.is_file():
            continue
        found = read_json(path)
        try:
            if of_text:
                yield Figure(metric, split, float(found[metric]))
            else:
                for name in (metric, "macro_f1"):
                    if each := found["rows"][0]["metrics"].get(name):
                        yield Figure(name, split, each["value"], each["low"], each["high"])
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise HsEnvError(f"{path} is not what hs-env wrote: {error}. Was it edited?") from error
        evaluated = True
    if not evaluated:
        scores = {"test": notes.get("test"), "dev": notes.get("dev", notes.get(metric))}
        for split, value in scores.items():
            if isinstance(value, float):
                low, high = (notes.get("intervals") or {}).get(split, (None, None))
                yield Figure(metric, split, value, low, high)


def _table(figures: list[Figure], of_text: bool) -> str:
    """Return figures as a table, with intervals where there are any."""
    if not figures:
        return f"None yet: `hs-env {'lm ' if of_text else ''}evaluate` makes them."
    lines = ["| figure | split | value | 95% interval |", "|:--|:--|--:|:--|"]
    for name, split, value, low, high in figures:
        share = name in ("accuracy", "macro_f1")
        texts = [f"{100 * each:.1f}%" if share else f"{each:.3f}" for each in (value, low, high) if each is not None]
        interval = " to ".join(texts[1:]) or "none was computed"
        lines.append(f"| {name.replace('_', ' ')} | {split} | {texts[0]} | {interval} |")
    note = "Bootstrap intervals over the sentences of the split. One training run; another seed may differ more."
    return "\n".join(lines) + (f"\n\n{note}" if any(each.low is not None for each in figures) else "")


def _code(text: str) -> str:
    """Return a text as code of Markdown, which shows it as it is, also in a table."""
    return f"`{text}`".replace("|", "\\|") if "`" not in text else text.replace("|", "\\|")


def _settings(config: Mapping[str, Any]) -> str:
    """Return all fields of a configuration as a list that is folded away."""
    if not config:
        return "The run ships with hs-env; its settings are in that script."
    rows = "\n".join(f"| `{name}` | {_code(shown(value, 200))} |" for name, value in config.items())
    return f"<details><summary>All settings</summary>\n\n| setting | value |\n|:--|:--|\n{rows}\n\n</details>"


def _licences(data: str, source: str, vectors: str, of_text: bool) -> str:
    """Return the licences of code, data and vectors as a list."""
    lines = ["- Code (hs-env): MIT.", f"- Data, `{data}`: {source or 'not known to hs-env; see its origin'}."]
    if not of_text:
        known = [text for name, text in _VECTORS.items() if name in vectors]
        origin = "; ".join(known) or "see their origin"
        lines.append(f"- Word vectors, `{vectors}`: {origin}." if vectors else "- Word vectors: see the settings.")
    return "\n".join(lines)


def _version(folder: Path) -> str:
    """Return the version of hs-env that trained a run."""
    records = read_json(folder / RECORD) if (folder / RECORD).is_file() else None
    last = records[-1] if isinstance(records, list) and records else {}
    return str(last.get("hs_env", hs_env.__version__)) if isinstance(last, dict) else hs_env.__version__


def _front(repo: str, data: str, source: str, of_text: bool, figures: list[Figure]) -> str:
    """Return the YAML at the head of a card."""
    hub = library()
    licence = _FREE.get(source.rpartition("; ")[2], "other")
    task = "text-generation" if of_text else "text-classification"
    results = [
        hub.EvalResult(
            task_type=task,
            dataset_type=data,
            dataset_name=data,
            dataset_split=split,
            metric_type=name,
            metric_value=round(value, 4),
        )
        for name, split, value, _, _ in figures
    ]
    card = hub.ModelCardData(
        license=licence,
        license_name="terms-of-the-data" if licence == "other" else None,
        library_name="hs-env",
        pipeline_tag=task,
        tags=["hs-env", "phrase-structure"],
        model_name=repo.rpartition("/")[2] if results else None,
        eval_results=results or None,
    )
    return f"---\n{card.to_yaml()}\n---"
