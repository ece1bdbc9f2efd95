"""Make a page that computes trained classifiers in the browser: a visitor cuts a sentence and sees the verdict."""

from hs_env.demo.page import make_demo

__all__ = ["make_demo"]
