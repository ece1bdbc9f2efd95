"""Make the table of shipped runs in docs/zoo.md, and the pictures of what shipped models make of a text.

The figures on dev are those in the notes of each run. Those on test are measured again, with 95% bootstrap intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accuracy import figures_of
from marks import write_marked

import hs_env
from hs_env.inference import load
from hs_env.language import LanguageModel
from hs_env.language.models import DEFAULT_MODEL
from hs_env.language.operations import operations_in
from hs_env.models import Classifier
from hs_env.render import operations_svg, to_svg
from hs_env.shipped import DEFAULT_RUN, shipped_language_models, shipped_runs

DOCS = Path(hs_env.__file__).parents[1] / "docs"
PAGE = DOCS / "zoo.md"
TEXT = "the movie is not very good , but the actors are a pleasure to watch ."
SENTENCE = "The plot is not exactly new, but it is told with such warmth that you never want it to end"
HEAD = "| run | model | data | kB | dev | test (95% interval) |\n|:--|:--|:--|--:|--:|:--|\n"


def table() -> str:
    """The rows of all shipped runs."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> Iterator[list[str]]:
    """Name, model, data, size, and figures of each shipped run."""
    for name, folder in shipped_runs().items():
        classifier = Classifier.load(name)
        notes, corpus = classifier.notes, classifier.notes["corpus"]
        found = figures_of(name, corpus)["accuracy"]
        test = f"{100 * found.value:.1f}% ({100 * found.low:.1f}–{100 * found.high:.1f})"
        yield [f"`{name}`", classifier.model.title, f"`{corpus}`", size(folder), f"{100 * dev(notes):.1f}%", test]
    for name, folder in shipped_language_models().items():
        language_model = LanguageModel.load(name)
        notes, kind = language_model.notes, f"{language_model.model.core.title} on characters"
        low, high = notes["intervals"]["test"]
        test = f"{notes['test']:.3f} ({low:.3f}–{high:.3f}) bits per character"
        yield [f"`{name}`", kind, f"`{notes['corpus']}`", size(folder), f"{notes['dev']:.3f}", test]


def dev(notes: dict[str, Any]) -> float:
    """The accuracy on dev in the notes of a classifier."""
    accuracy: float = notes.get("dev", notes["accuracy"])
    return accuracy


def size(folder: Path) -> str:
    """The size of a run's files, in kB."""
    return f"{sum(path.stat().st_size for path in folder.glob('*.safetensors')) / 1024:,.0f}"


def pictures() -> dict[Path, str]:
    """What the shipped classifier makes of a sentence, and the layers of the shipped language model of a text."""
    operations = operations_in(LanguageModel.load(DEFAULT_MODEL), TEXT)[0]
    (prediction,) = load(DEFAULT_RUN, "cpu").segment([SENTENCE])
    assert prediction.segmented is not None
    return {
        DOCS / "segmented.svg": to_svg(prediction.segmented),
        DOCS / "hm_lstm.svg": operations_svg(operations),
    }


def main() -> None:
    write_marked(PAGE, "runs", table())
    made = pictures()
    for path, picture in made.items():
        path.write_text(picture, encoding="utf-8")
    print(*(path.relative_to(DOCS.parent) for path in (PAGE, *made)))


if __name__ == "__main__":
    main()
