"""Grids, from a file to configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell, load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.reproduction import GRID as GRID_FILE
from hs_env.experiments.reproduction import PUBLISHED
from hs_env.experiments.summary import load_published
from hs_env.training.config import ResolvedConfig

ROOT = Path(__file__).parents[2]
GRIDS = {"reproduce": GRID_FILE} | {
    name: ROOT / "scripts" / f"{name}.toml" for name in ("gaps", "composition", "skimming", "characters")
}
GRID = """
[settings]
model_parameters = { hidden_size = 20, dropout = 0.5 }
[corpora]
mr = { folds = 2 }
movie_reviews = { seeds = 3 }
[variants.plain_lstm]
model = "plain_lstm"
[variants.hs_lstm]
corpora = ["mr"]
model_parameters.hidden_size = 10
agent_parameters = { samples = 3, hidden_size = 0 }
"""


def grid(tmp_path: Path, text: str = GRID) -> list[Cell]:
    (tmp_path / "grid.toml").write_text(text)
    return load_grid(tmp_path / "grid.toml", tmp_path)


def test_a_fold_joins_the_settings_that_a_corpus_has(tmp_path: Path) -> None:
    cells = grid(
        tmp_path, GRID.replace("mr = {", '"mr:tokenisation=characters" = {').replace('["mr"]', "['movie_reviews']")
    )
    assert cells[0].config.corpus == "mr:tokenisation=characters,fold=0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('model = "plain_lstm"', 'model = "plain_lstm"\nseed = 3', "'plain_lstm': remove 'seed'"),
        ("[settings]", '[settings]\ncorpus = "mr"', "'settings': remove 'corpus'"),
        ("seeds = 3", "seeds = true", "needs `folds = N` or `seeds = N`"),
    ],
)
def test_what_the_grid_sets_itself_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        grid(tmp_path, GRID.replace(old, new))


def test_a_corpus_that_a_variant_names_twice_is_one(tmp_path: Path) -> None:
    twice = f'{GRID}\n[variants.twice]\nmodel = "cnn"\ncorpora = ["mr", "mr"]\n'
    assert [cell.number for cell in grid(tmp_path, twice) if cell.variant == "twice"] == [0, 1]


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
    assert (fold.corpus, fold.seed, fold.model) == ("mr:fold=1", 1, "plain_lstm")
    assert fold.model_parameters["hidden_size"] == 20
    assert fold.data_dir == tmp_path
    assert (seed.corpus, seed.seed) == ("movie_reviews", 1)
    assert (own.model_parameters["hidden_size"], own.threads, own.reward) == (10, 1, "hs_lstm")
    assert (own.model_parameters["dropout"], fold.model_parameters["dropout"]) == (0.5, 0.5)
    assert (own.agent_parameters["samples"], own.agent_parameters["hidden_size"]) == (3, 0)


def test_agent_parameters_of_all_variants_and_of_one_are_merged(tmp_path: Path) -> None:
    shared = "[settings]\nagent_parameters.samples = 3\n[corpora]\nmr = { seeds = 1 }\n"
    variants = "[variants.a]\nagent_parameters.hidden_size = 0\n[variants.b]\n"
    one, other = (cell.config.agent_parameters for cell in grid(tmp_path, shared + variants))
    assert (one["samples"], one["hidden_size"], other["samples"], other["hidden_size"]) == (3, 0, 3, 64)


def test_a_number_may_stand_in_a_text(tmp_path: Path) -> None:
    text = GRID.replace("[settings]", '[settings]\nvectors = "hf:encoders/mr-{number}"', 1)
    text = text.replace("agent_parameters = { samples = 3, hidden_size = 0 }", 'agent_parameters.note = "of {number}"')
    text = text.replace('corpora = ["mr"]', 'corpora = ["mr"]\nagent = "ppo"')
    cells = [cell for cell in grid(tmp_path, text) if cell.variant == "hs_lstm"]
    assert [cell.config.vectors for cell in cells] == ["hf:encoders/mr-0", "hf:encoders/mr-1"]
    assert [cell.config.agent_parameters["note"] for cell in cells] == ["of 0", "of 1"]


def test_a_key_says_what_is_run_and_not_how(tmp_path: Path) -> None:
    cells = grid(tmp_path)
    assert len({cell.key for cell in cells}) == len(cells)
    for cell in cells:
        changes = {"data_dir": None, "threads": 2, "checkpoint_seconds": 1.0}
        assert replace(cell, config=replace(cell.config, **changes)).key == cell.key
        assert replace(cell, config=replace(cell.config, model_parameters={"dropout": 0.1})).key != cell.key
        assert "/" not in cell.key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x", "not a readable grid"),
        ("[corpora]\nmr = {seeds = 1}\n", "at least one .corpora.NAME. and one .variants.NAME."),
        (GRID + "[other]\n", "got 'other'"),
        (GRID.replace("folds = 2", "folds = 0"), "needs `folds = N`"),
        ("corpora = {mr = 3}\n[variants.one]\nseed = 1", r"corpora.mr must be a table, \[corpora.mr\], got 3"),
        ("variants = {one = 3}\n[corpora.mr]\nfolds = 2", r"variants.one must be a table"),
        ("settings = 3\n[corpora.mr]\nfolds = 2\n[variants.one]\nseed = 1", r"settings must be a table"),
        ("[corpora.mr]\nfolds = 2\n[variants.one]\ncorpora = 3", "corpora must be a list of names, got 3"),
        ("[corpora.mr]\nfolds = 2\n[variants.one]\ncorpora = []", r"corpora must be a list of names, got \[\]"),
        ("[corpora.mr]\nfolds = 2\n[variants.one]\ncorpora = [3]", r"corpora must be a list of names, got \[3\]"),
        (GRID.replace('["mr"]', '["subj"]'), "names the corpus 'subj'; the grid has mr, movie_reviews"),
        (GRID.replace("hidden_size = 10", "hiden_size = 10"), "variant 'hs_lstm': .*hiden_size"),
        (GRID.replace("agent_parameters", "agent_parametres"), "variant 'hs_lstm': .*agent_parametres"),
        (GRID.replace("hidden_size = 10", "hidden_size = 0"), "variant 'hs_lstm': hidden_size must be"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        grid(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "ledger"),
    [
        ("reproduce", "ledger"),
        ("reproduce", "never_tuned"),
        ("gaps", "gaps"),
        ("composition", "composition"),
        ("skimming", "skimming"),
    ],
)
def test_every_published_result_is_one_of_a_grid_of_the_repository(name: str, ledger: str) -> None:
    """What is added to configurations must not orphan them."""
    results = Ledger(ROOT / "docs" / "results" / f"{ledger}.jsonl").results()
    assert results
    assert set(results) <= {cell.key for cell in load_grid(GRIDS[name])}


@pytest.mark.parametrize(("name", "ledger"), [("reproduce", "ledger"), ("gaps", "gaps")])
def test_every_published_configuration_is_that_of_its_cell(name: str, ledger: str) -> None:
    """Those of the variants and runs of version 0.1, and those that came later."""
    cells = {(cell.corpus, cell.variant, cell.number): cell for cell in load_grid(GRIDS[name])}
    entries = Ledger(ROOT / "docs" / "results" / f"{ledger}.jsonl").entries()
    assert sum({"structure", "reinforce", "sb3"} <= entry["config"].keys() for entry in entries) > 50
    for entry in entries:
        cell = cells[entry["corpus"], entry["variant"], entry["number"]]
        assert ResolvedConfig.from_json(entry["config"]) == cell.config
        assert entry["key"] == cell.key


def test_the_grid_of_estimators_is_what_version_0_1_ran() -> None:
    """Each cell, from a configuration of version 0.1."""
    results = Ledger(ROOT / "docs" / "results" / "ledger.jsonl").results().values()
    old = {entry["variant"]: entry["config"] for entry in results if "reinforce" in entry["config"]}
    cells = load_grid(ROOT / "scripts" / "estimators.toml")
    assert len(cells) == 3 * 14
    for cell in cells:
        config = old.get(cell.variant) or old["hs_lstm"] | {"estimator": cell.variant}
        place = {"corpus": "movie_reviews", "vectors": "glove-6b-50d", "seed": cell.number, "joint_epochs": 2}
        samples = {"reinforce": config["reinforce"] | {"samples": 2}}
        assert ResolvedConfig.from_json(config | place | samples) == cell.config


def test_the_grid_of_the_repository_is_valid_and_what_is_published_is_in_it() -> None:
    places = {(cell.corpus, cell.variant) for cell in load_grid(GRID_FILE)}
    published = load_published(PUBLISHED)
    assert {(corpus, variant) for corpus, figures in published.items() for variant in figures} <= places
    assert published["mr"]["hs_lstm"] == pytest.approx(0.821)


def test_a_deeply_nested_grid_is_one_error(tmp_path) -> None:
    (tmp_path / "grid.toml").write_text("a = " + "[" * 5000)
    with pytest.raises(HsEnvError, match="not a readable grid"):
        load_grid(tmp_path / "grid.toml")
