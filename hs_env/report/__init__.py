"""Self-contained HTML pages that show what runs learned."""

from hs_env.report.language import make_language_report
from hs_env.report.page import make_report

__all__ = ["make_language_report", "make_report"]
