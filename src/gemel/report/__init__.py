"""Pictures: curves, histograms, the hardest pairs, one HTML page. Matplotlib is imported when a page is drawn."""

from __future__ import annotations

from gemel.report.findings import findings
from gemel.report.writing import draw_report, refuse_report, write_report

__all__ = ["draw_report", "findings", "refuse_report", "write_report"]
