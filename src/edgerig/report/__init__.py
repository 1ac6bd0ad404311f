"""One model of the report, rendered as HTML, Markdown and JSON."""
