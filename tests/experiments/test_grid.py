"""Grids, from a file to configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell, load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.summary import load_published

SCRIPTS = Path(__file__).parents[2] / "scripts"
GRID = """
[settings]
hidden_size = 20
[settings.reinforce]
samples = 3
[corpora]
mr = { folds = 2 }
movie_reviews = { seeds = 3 }
[variants.plain_lstm]
model = "plain_lstm"
[variants.hs_lstm]
corpora = ["mr"]
hidden_size = 10
reinforce = { hidden_size = 0 }
"""


def grid(tmp_path: Path, text: str = GRID) -> list[Cell]:
    (tmp_path / "grid.toml").write_text(text)
    return load_grid(tmp_path / "grid.toml", tmp_path)


def test_cells_are_corpus_by_variant_by_number(tmp_path: Path) -> None:
    cells = grid(tmp_path)
    assert [(cell.corpus, cell.variant, cell.number) for cell in cells] == [
        ("mr", "plain_lstm", 0),
        ("movie_reviews", "plain_lstm", 0),
        ("mr", "hs_lstm", 0),
        ("mr", "plain_lstm", 1),
        ("movie_reviews", "plain_lstm", 1),
        ("mr", "hs_lstm", 1),
        ("movie_reviews", "plain_lstm", 2),
    ]
    fold, seed, own = cells[3].config, cells[4].config, cells[5].config
    assert (fold.corpus, fold.seed, fold.model, fold.hidden_size) == ("mr:fold=1", 1, "plain_lstm", 20)
    assert fold.data_dir == tmp_path
    assert (seed.corpus, seed.seed) == ("movie_reviews", 1)
    assert (own.hidden_size, own.threads, own.reward) == (10, 1, "hs_lstm")
    assert (own.reinforce.samples, own.reinforce.hidden_size, fold.reinforce.samples) == (3, 0, 3)


def test_a_number_may_stand_in_a_text(tmp_path: Path) -> None:
    text = GRID.replace("[settings]", '[settings]\nvectors = "hf:encoders/mr-{number}"', 1)
    text = text.replace("hidden_size = 10", 'hidden_size = 10\nsb3 = { parameters = { note = "of {number}" } }')
    cells = [cell for cell in grid(tmp_path, text) if cell.variant == "hs_lstm"]
    assert [cell.config.vectors for cell in cells] == ["hf:encoders/mr-0", "hf:encoders/mr-1"]
    assert [cell.config.sb3.parameters["note"] for cell in cells] == ["of 0", "of 1"]


def test_a_key_says_what_is_run_and_not_how(tmp_path: Path) -> None:
    cells = grid(tmp_path)
    assert len({cell.key for cell in cells}) == len(cells)
    for cell in cells:
        changes = {"data_dir": None, "threads": 2, "checkpoint_seconds": 1.0}
        assert replace(cell, config=replace(cell.config, **changes)).key == cell.key
        assert replace(cell, config=replace(cell.config, dropout=0.1)).key != cell.key
        assert "/" not in cell.key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x", "not a readable grid"),
        ("[corpora]\nmr = {seeds = 1}\n", "at least one .corpora.NAME. and one .variants.NAME."),
        (GRID + "[other]\n", "got 'other'"),
        (GRID.replace("folds = 2", "folds = 0"), "needs `folds = N`"),
        (GRID.replace('["mr"]', '["subj"]'), "names the corpus 'subj'; the grid has mr, movie_reviews"),
        (GRID.replace("hidden_size = 10", "hiden_size = 10"), "variant 'hs_lstm': .*hiden_size"),
        (GRID.replace("hidden_size = 10", "hidden_size = 0"), "variant 'hs_lstm': hidden_size must be"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        grid(tmp_path, text)


@pytest.mark.parametrize(("name", "ledger"), [("reproduce", "ledger"), ("gaps", "gaps")])
def test_every_published_result_is_one_of_a_grid_of_the_repository(name: str, ledger: str) -> None:
    """What is added to configurations must not orphan them."""
    results = Ledger(SCRIPTS.parent / "docs" / "results" / f"{ledger}.jsonl").results()
    assert set(results) <= {cell.key for cell in load_grid(SCRIPTS / f"{name}.toml")}


def test_the_grid_of_the_repository_is_valid_and_what_is_published_is_in_it() -> None:
    places = {(cell.corpus, cell.variant) for cell in load_grid(SCRIPTS / "reproduce.toml")}
    published = load_published(SCRIPTS / "published.toml")
    assert {(corpus, variant) for corpus, figures in published.items() for variant in figures} <= places
    assert published["mr"]["hs_lstm"] == pytest.approx(0.821)
