"""A self-contained HTML page that shows what runs learned."""

from hs_env.report.page import make_report

__all__ = ["make_report"]
