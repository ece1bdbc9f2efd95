"""One page that shows what a run learned: self-contained HTML, to be read in a browser and sent to others."""

from hs_env.report.page import make_report

__all__ = ["make_report"]
