"""The report's model in each of its formats: `html` by templates; `markdown` and `rst` from one plain `document`;
`csv` and `json`. `contents` says which tables there are.
"""
