"""What a visitor does with the page: mouse, keyboard, screen reader, phone; and text that would break a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hs_env.corpora import Vocabulary
from hs_env.demo.source import Source
from tests.demo.builders import hm_source, with_few_sentences
from tests.demo.sentences import NASTY

LIMIT = 50
"""Milliseconds from a click to the new verdict, with the page laid out."""
TEXT = "the movie is not very good"


def text_of(page, selector: str) -> str:
    return " ".join((page.locator(selector).text_content() or "").split())


def pressed(page) -> list[str]:
    return page.locator("#sentence button").evaluate_all("all => all.map((each) => each.ariaPressed)")


def wait_for_search(page) -> None:
    page.wait_for_selector("#policies td.hint", state="detached")


def test_a_cut_by_mouse_changes_verdict_and_reward(reviews, opened):
    page = opened(reviews)
    page.fill("#text", TEXT)
    before = text_of(page, "#live")
    gap = page.get_by_role("button", name="Cut between not and very")
    state = gap.get_attribute("aria-pressed")
    gap.click()
    assert gap.get_attribute("aria-pressed") != state
    after = text_of(page, "#live")
    assert after != before
    assert text_of(page, "#prediction") in after
    assert "compared with the learned policy" in after
    reading = page.evaluate("hsEnv.state.logProbs.map(Math.exp)")
    assert text_of(page, "#probability") == f"{100 * max(reading):.1f}%"
    gap.click()
    assert text_of(page, "#live") == before


def test_cuts_by_keyboard(phrases, opened):
    page = opened(with_few_sentences(phrases))
    page.fill("#text", TEXT)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "gap":
            break
    names = [page.evaluate("document.activeElement.ariaLabel")]
    before = pressed(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowRight"):
        page.keyboard.press(key)
        names.append(page.evaluate("document.activeElement.ariaLabel"))
    words = TEXT.split()
    assert names == [f"Cut between {words[at]} and {words[at + 1]}" for at in (0, 1, 2, 1, 4, 4, 0, 1)]
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.ariaLabel") == "Cut between movie and is"  # focus stays
    after = pressed(page)
    assert [at for at in range(5) if before[at] != after[at]] == [1]
    page.keyboard.press("Enter")
    assert pressed(page) == before


def test_policies_are_compared_and_taken_over(phrases, opened):
    page = opened(phrases)
    wait_for_search(page)
    rows = page.locator("#policies tr").all()
    assert [row.locator("button").text_content() for row in rows] == [
        "Learned", "Function words", "Single words", "One phrase", "Gold", "Best found"
    ]  # fmt: skip
    rewards = [float(row.locator("td").last.inner_text().split(",")[0].replace("\u2212", "-")) for row in rows]
    assert max(rewards) == rewards[-1]
    page.get_by_role("button", name="Single words").click()
    assert set(pressed(page)) == {"true"}
    assert page.locator("#policies tr.current").count() == 1
    page.get_by_role("button", name="One phrase").click()
    assert set(pressed(page)) == {"false"}
    page.fill("#text", TEXT)
    assert page.get_by_role("button", name="Gold").count() == 0  # only the corpus knows gold phrases


def test_the_right_class_is_chosen(phrases, opened):
    page = opened(with_few_sentences(phrases))
    page.fill("#text", TEXT)
    assert text_of(page, "#label-source") == "assumed"
    before = text_of(page, "#reward")
    other = 1 - int(page.locator("#label").input_value())
    page.select_option("#label", str(other))
    assert text_of(page, "#reward") != before
    page.fill("#text", TEXT + " .")
    assert (page.locator("#label").input_value(), text_of(page, "#label-source")) == (str(other), "as you say")
    page.click("#next")
    assert text_of(page, "#label-source") == "as in the corpus"
    page.fill("#text", " ")
    assert text_of(page, "#live") == "There are no words yet."
    assert page.locator("#live").evaluate("each => getComputedStyle(each).display") != "none"


def test_words_are_deleted_by_a_click_and_one_always_stays(distilled, opened):
    page = opened(distilled)
    page.fill("#text", "not very good")
    page.get_by_role("button", name="All words").click()
    before = text_of(page, "#live")
    for at in range(3):
        page.locator("#sentence button").nth(at).click()
    assert pressed(page) == ["false", "false", "true"]
    assert text_of(page, "#live") != before


def test_boundaries_of_hm_lstm_by_layer(phrases, opened):
    page = opened(hm_source(with_few_sentences(phrases)))
    page.fill("#text", TEXT)
    assert page.locator("#layers dt").all_text_contents() == ["Layer 1: ", "Layer 2: "]
    for row in page.locator("#layers dd").all():
        assert (row.text_content() or "").replace(",", "").split() == TEXT.split()
    assert not page.locator("#policies-section").is_visible()
    assert text_of(page, "#prediction") in phrases.classifier.labels


def test_tabs_choose_runs(phrases, distilled, opened):
    sources = with_few_sentences(phrases), with_few_sentences(distilled)
    page = opened(*sources, hm_source(sources[0]))
    page.fill("#text", TEXT)
    tabs = page.get_by_role("tab")
    assert tabs.count() == 3
    tabs.first.focus()
    for at in (1, 2, 0):
        page.keyboard.press("ArrowRight")
        assert [tab.get_attribute("aria-selected") for tab in tabs.all()] == [
            str(at == each).lower() for each in range(3)
        ]
        assert page.input_value("#text") == TEXT  # all know the same corpus
        assert text_of(page, "#prediction") in phrases.classifier.labels


def test_a_change_takes_less_than_50_ms(reviews, opened, capsys):
    page = opened(reviews)
    page.fill("#text", "the movie is not very good , but the cast is brilliant and funny " * 4)  # 56 words
    wait_for_search(page)
    times = []
    for at in range(0, 55, 3):
        page.evaluate("(at) => document.querySelectorAll('.gap')[at].click()", at)
        times.append(page.evaluate("hsEnv.lastChange()"))
    times.sort()
    median = times[len(times) // 2]
    with capsys.disabled():
        print(f"\n{len(times)} changes of 56 words: {times[0]:.1f} to {times[-1]:.1f} ms, median {median:.1f} ms")
    assert times[len(times) // 4] < LIMIT  # other processes may delay the slower ones


@pytest.mark.parametrize("name", ["reviews", "distilled", "hm"])
def test_a_phone_needs_no_horizontal_scroll(name, phrases, request, opened):
    source = hm_source(with_few_sentences(phrases)) if name == "hm" else request.getfixturevalue(name)
    page = opened(source, width=360)
    for text in ("the movie is not very good", *NASTY):
        page.fill("#text", text)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, text


def test_no_words_is_said(phrases, opened):
    page = opened(with_few_sentences(phrases))
    page.fill("#text", " ")
    assert text_of(page, "#live") == "There are no words yet."
    assert not page.locator("#verdict-title").is_visible()
    page.fill("#text", "good")
    assert text_of(page, "#prediction") == "positive"


def test_unknown_words_are_named(phrases, opened):
    page = opened(with_few_sentences(phrases))
    page.fill("#text", "a smartphonia movie")
    assert "smartphonia" in text_of(page, "#unknown")
    assert page.locator(".unknown").all_text_contents() == ["a", "smartphonia"]


def test_colours_follow_the_system(phrases, opened):
    backgrounds = {
        scheme: opened(with_few_sentences(phrases), scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(set(backgrounds.values())) == 2


def test_everything_has_a_name_and_ids_are_unique(reviews, opened):
    page = opened(reviews)
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, select, textarea")].filter((each) =>
          !(each.ariaLabel || each.textContent.trim() || each.labels?.length)).map((each) => each.outerHTML)"""
    )
    assert unnamed == []
    ids = page.locator("[id]").evaluate_all("all => all.map((each) => each.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("h1").count() == 1
    assert page.get_by_role("status").count() == 1


def hostile(source: Source) -> Source:
    """The same run with names, words and sentences that would break a page which took them for HTML."""
    evil = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"onload="alert(1)',
        "<!--",
        "$x",
        "{{7*7}}",
    ]
    words = [*source.classifier.vocabulary.words]
    words[2 : 2 + len(evil)] = evil
    classifier = replace(
        source.classifier, vocabulary=Vocabulary(words), labels=(evil[0], evil[1]), tokenisation="split"
    )
    sentences = tuple(
        replace(each, words=(*each.words, *evil[:1]), gold_actions=None) for each in source.corpus.splits["test"]
    )
    corpus = replace(
        source.corpus, name=evil[0], labels=(evil[0], evil[1]), splits={"train": sentences, "test": sentences}
    )
    return replace(source, name=evil[0], classifier=classifier, corpus=corpus)


def test_nothing_in_names_words_or_sentences_is_run(phrases, opened):
    page = opened(hostile(with_few_sentences(phrases)))
    wait_for_search(page)
    page.fill("#text", '<img src=x onerror=alert(1)> </script><script>alert(1)</script> $x "onload="alert(1)')
    wait_for_search(page)
    page.locator(".gap").first.click()
    assert page.locator("main img, main script, body > script").count() == 1  # the page's own script
    assert text_of(page, "#prediction") in ("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>")
    assert page.title() == "hs-env demo: </script><script>alert(1)</script>"
