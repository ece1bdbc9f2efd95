"""Make a page that runs trained classifiers in the browser, so that a visitor can cut a sentence and see the verdict."""

from hs_env.demo.page import make_demo

__all__ = ["make_demo"]
