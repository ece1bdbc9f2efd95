"""The page: whole, self-contained, and harmless whatever it shows."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markupsafe import Markup
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.evaluation import Comparison, Row
from hs_env.evaluation.recurring import RecurringPhrase
from hs_env.metrics import Interval
from hs_env.render import PALETTE
from hs_env.report import make_report
from hs_env.report.charts import accuracy_chart, learning_curves
from hs_env.report.template import _clean
from hs_env.training import Run, TrainConfig, train

CONFIG = TrainConfig(
    corpus="phrases:train=60,dev=20,test=40",
    vectors="random:4",
    model_parameters={"hidden_size": 6},
    batch_size=20,
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
    agent_parameters={"samples": 2, "hidden_size": 4},
)
QUIET = Console(quiet=True)
HOSTILE = ["<script>alert(1)</script>", '"onload="x', "]]>", "&amp;", "</td>", "{{7*7}}", "$x^2$", "a\x01b"]
"""Words that would break a page that did not escape them."""
VOID = {"meta", "img", "br", "hr", "input", "link"}
"""Elements that HTML lets close themselves."""


def parse(page: str) -> ElementTree.Element:
    """The page as XML, which says of every element that it is closed where it should be."""
    head, _, body = page.partition("\n")
    assert head == "<!DOCTYPE html>"
    root = ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return train(CONFIG, tmp_path_factory.mktemp("runs") / "plain", QUIET)


@pytest.fixture(scope="module")
def page(run) -> str:
    return make_report([run], "test", QUIET)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Run:
    """A run of ID-LSTM whose words, classes and folder are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [{"text": " ".join([*HOSTILE, f"word{number}"]), "label": ("<b>", "&")[number % 2]} for number in range(60)]
    corpus = folder / "corpus.jsonl"
    corpus.write_text("\n".join(map(json.dumps, rows)))
    config = replace(CONFIG, corpus=str(corpus), model="id_lstm", warm_start="all_retain", reward="id_lstm")
    return train(config, folder / '<i>&"', QUIET)


@pytest.fixture(scope="module")
def both(run, hostile) -> str:
    return make_report([run, hostile], "test", QUIET, oracle=2)


def test_the_page_is_well_formed_html(page):
    root = parse(page)
    assert root.tag == "html"
    assert {match[1] for match in re.finditer(r"<(\w+)[^<>]*/>", page)} <= VOID
    ids = Counter(element.get("id") for element in root.iter() if element.get("id"))
    assert all(count == 1 for count in ids.values())
    assert all(image.get("alt") for image in root.iter("img"))
    for table in root.iter("table"):
        widths = {sum(1 for cell in row if cell.tag in ("td", "th")) for row in table.iter("tr")}
        assert len(widths) == 1 or table.get("class") == "words"


def test_nothing_is_loaded(page):
    root = parse(page)
    assert not list(root.iter("script")) + list(root.iter("link")) + list(root.iter("iframe"))
    for element in root.iter():
        for name in ("src", "href", "srcset", "action", "data"):
            assert element.get(name, "data:").startswith("data:")
    assert "url(" not in page
    assert "@import" not in page
    (policy,) = (m for m in root.iter("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.get("content", "").startswith("default-src 'none'")


def test_the_page_shows_what_it_promises(run, page):
    text = " ".join("".join(parse(page).itertext()).split())
    for promised in (
        "plain LSTM",
        "function_words",
        "Mistakes",
        "Least certain",
        "learning_rate",
        "agent_parameters.samples",
        "HS-LSTM by class",
        "Confusion matrix",
        "Balanced accuracy %",
        "McNemar, exact",
    ):
        assert promised in text
    table = json.loads((run.folder / "evaluation-test.json").read_text())
    assert f"{100 * table['rows'][1]['metrics']['accuracy']['value']:.1f}" in text
    assert json.loads((run.folder / "record.json").read_text())[0]["packages"]["torch"] in text
    drawn = [image.get("alt", "").partition(",")[0] for image in parse(page).iter("img")]
    assert drawn[:2] == ["Accuracy of each row of the table", "Share of correct predictions by their probability"]
    assert "accuracy on dev after each epoch" in drawn


def test_mistakes_come_first_and_the_most_certain_of_them(page):
    kinds = [element for element in parse(page).iter("details") if element.find("ol") is not None]
    titles = [(kind.find("summary").text or "").split(",")[0] for kind in kinds]
    assert titles == [title for title in ("Mistakes", "Least certain", "Correct and most certain") if title in titles]
    for title, kind in zip(titles, kinds, strict=True):
        lines = ["".join(item.itertext()) for item in kind.iter("li")]
        assert ("(gold " in lines[0]) == (title == "Mistakes") or title == "Least certain"
        shares = [float(re.findall(r"[01]\.\d\d", line)[-1]) for line in lines]
        assert shares == sorted(shares, reverse=title != "Least certain")


def test_the_same_run_makes_the_same_page(run, page):
    assert make_report([Run.load(run.folder)], "test", QUIET) == page


def test_several_runs_have_a_summary_and_hostile_text_stays_text(both):
    root = parse(both)
    assert not list(root.iter("script")) + list(root.iter("i")) + list(root.iter("b"))
    text = "".join(root.itertext())
    for word in ("alert", "{{7*7}}", "&amp;", "a\ufffdb"):
        assert word in text.replace(" ", "")
    assert [(heading.text or "") for heading in root.iter("h2")] == ["plain", '<i>&"']
    summary = next(root.iter("table"))
    assert [row.find("th").text for row in summary.find("tbody")] == ["plain: HS-LSTM", '<i>&": ID-LSTM']
    assert [heading.text for heading in root.iter("h1")] == ["2 runs on test"]


def test_no_value_brings_characters_that_html_cannot_hold():
    assert _clean(RecurringPhrase("a\x01 b", 2, 3)) == "a\ufffd b (2/3)"
    assert _clean(Markup("<b>")) == "<b>"


def test_deleted_words_are_struck_through(both, hostile):
    root = parse(both)
    text = "".join(root.itertext())
    assert "Words kept / sentence" in text
    assert "beam of 2" in text
    table = json.loads((hostile.folder / "evaluation-test.json").read_text())
    kept = table["rows"][0]["metrics"]["share_retained"]["value"]
    assert bool(list(root.iter("s"))) == (kept < 1)


def test_a_dollar_in_a_name_is_a_dollar():
    scores = {"accuracy": 0.5, "log_likelihood": -1.0, "reward": -1.0}
    entries = [{"stage": "$w^{<", "updates": at, "best": at == 0, **scores} for at in range(3)]
    ((title, address), *_) = learning_curves(entries)
    assert title == "accuracy on dev"
    assert [(title, address)] == learning_curves(entries)[:1]
    assert address.startswith("data:image/svg+xml;base64,")
    drawn = base64.b64decode(address.partition(",")[2]).decode()
    assert "$w^{<" in "".join(ElementTree.fromstring(drawn).itertext())


def test_the_page_opens_with_what_was_learned_and_how_well(run, page):
    root = parse(page)
    assert [heading.text for heading in root.iter("h1")] == ["plain"]
    assert not list(root.iter("h2"))
    (lead,) = ("".join(each.itertext()) for each in root.iter("p") if each.get("class") == "lead")
    table = json.loads((run.folder / "evaluation-test.json").read_text())
    own, plain = (100 * row["metrics"]["accuracy"]["value"] for row in table["rows"][:2])
    assert lead.startswith("HS-LSTM with phrases learned by REINFORCE was trained on 60 sentences of phrases")
    assert f"Of 40 sentences of test, it classifies {own:.1f}% (95% interval" in lead
    assert f"A plain LSTM, trained for as many updates, classifies {plain:.1f}%" in lead
    others = [row["metrics"]["accuracy"]["value"] for row in table["rows"][2:]]
    assert f"reaches {max(others):.1%}" in lead
    headings = ["".join(heading.itertext()) for heading in root.iter("h3")]
    assert len(headings) == len(set(headings))
    assert "Comparison on test" in headings


def test_a_flat_model_shows_its_mistakes_too(tmp_path):
    flat = replace(CONFIG, model="bilstm", agent_parameters={})
    root = parse(make_report([train(flat, tmp_path / "flat", QUIET)], "test", QUIET))
    text = " ".join("".join(root.itertext()).split())
    assert "The number is the place of the sentence in test, from 0." in text
    assert list(root.iter("ol"))
    assert "Phrases alternate" not in text


def test_a_stage_has_the_same_colour_in_every_run():
    scores = {"accuracy": 0.5, "best": True, "updates": 0}
    long, short = ([{"stage": name, **scores} for name in names] for names in (("warm", "pnet", "joint"), ("joint",)))
    drawn = [base64.b64decode(learning_curves(each)[0][1].partition(",")[2]).decode() for each in (long, short)]
    assert all(PALETTE.right in each for each in drawn)
    assert [PALETTE.neutral in each for each in drawn] == [True, False]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_no_row_is_cut_off_in_the_chart_of_accuracies(count):
    rows = [Row(f"row {at}", {"accuracy": Interval(0.5, 0.4, 0.6)}) for at in range(count)]
    drawn = ElementTree.fromstring(base64.b64decode(accuracy_chart(Comparison("", rows)).partition(",")[2]))
    height = float(drawn.get("height", "").removesuffix("pt"))
    heights = [
        float(re.search(r"([\d.]+)\)?$", (text.get("transform") or "0").partition(") rotate")[0].rstrip(")"))[1])
        for text in drawn.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert len(heights) > count
    assert all(0 < each < height for each in heights)


def test_no_runs_no_report(tmp_path: Path):
    with pytest.raises(HsEnvError, match="needs one run"):
        make_report([])
