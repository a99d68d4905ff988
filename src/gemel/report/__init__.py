"""Pictures: curves, histograms, the hardest pairs, one HTML page. Matplotlib is imported when a page is drawn."""

from __future__ import annotations

from gemel.report.writing import write_report

__all__ = ["write_report"]
