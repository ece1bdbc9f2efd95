"""A browser without a network, and the runs whose pages it opens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hs_env.demo.page import page_of
from hs_env.demo.source import Source, load_source
from tests.demo.builders import with_few_sentences

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def reviews() -> Source:
    return with_few_sentences(load_source("movie_reviews"), 240)


@pytest.fixture(scope="session")
def phrases() -> Source:
    return with_few_sentences(load_source("phrases"), 240)


@pytest.fixture(scope="session")
def distilled() -> Source:
    return with_few_sentences(load_source("phrases_id_lstm"), 240)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that writes the page of runs, once."""
    made: dict[tuple[int, ...], Path] = {}

    def write(*sources: Source) -> Path:
        key = tuple(map(id, sources))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("demo") / "demo.html"
            made[key].write_text(page_of(sources), encoding="utf-8")
        return made[key]

    return write


@pytest.fixture
def opened(browser: Browser, files: Callable[..., Path]) -> Iterator[Callable[..., Page]]:
    """A function that opens the page of runs. Errors, messages and requests of the page fail the test."""
    faults: list[str] = []
    contexts = []

    def open_page(*sources: Source, width: int = 1000, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 740}, offline=True, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: None if request.url.startswith("file:") else faults.append(request.url))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto(files(*sources).as_uri())
        page.wait_for_selector("#demo:not([hidden])")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
