"""One model of the report, rendered as HTML, Markdown and JSON.

>>> from pathlib import Path
>>> from edgerig.report import write_report
>>> write_report([Path("runs/demo"), Path("runs/b1")], Path("report.html"))  # doctest: +SKIP
PosixPath('report.html')
"""

from edgerig.report.load import load_bundle
from edgerig.report.model import Report
from edgerig.report.write import FORMATS, build_report, format_of, render, write_report, write_reports

__all__ = ["FORMATS", "Report", "build_report", "format_of", "load_bundle", "render", "write_report", "write_reports"]
