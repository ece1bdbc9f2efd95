"""The HTML report of a language model: well-formed, complete, and the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from hs_env.cli import main
from hs_env.language import LMConfig, LMRun, train_lm
from hs_env.report import make_language_report

SMALL = LMConfig(
    hidden_size=8, embedding_size=6, output_size=8, batch_size=8, stretch=20, updates=6, evaluate_every=3, threads=1
)


@pytest.fixture(scope="module", params=["hm_lstm", "h_net", "lstm"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LMRun:
    folder: Path = tmp_path_factory.mktemp("report")
    (folder / "fox.txt").write_text("the quick <brown> fox & the lazy dog.\n" * 200)
    config = replace(SMALL, text=str(folder / "fox.txt"), core=request.param)
    return train_lm(config, folder / "run", Console(quiet=True))


def test_it_shows_scores_drawings_and_settings(run: LMRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lm", "report", str(run.folder), "--out", str(tmp_path / "a.html")])
    assert "The report is in" in capsys.readouterr().out
    page = (tmp_path / "a.html").read_text("utf-8")
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    assert page == make_language_report(run)
    drawings = root.findall(".//{http://www.w3.org/2000/svg}svg")
    assert len(drawings) == (5 if run.config.core == "hm_lstm" else 0)
    assert f"{run.evaluate('test')['bits_per_character']:.3f} bits per character" in page
    has_boundaries = run.config.core != "lstm"
    sample = page.partition("<h3>Sample</h3>")[2].partition("</p>")[0]
    assert ("spaces found" in page, "|" in sample) == (has_boundaries, has_boundaries)
    assert "hidden_size" in page
    assert "<script" not in page
    assert "http:" not in page.replace("http://www.w3.org/", "")
