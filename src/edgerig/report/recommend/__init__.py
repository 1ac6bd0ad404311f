"""Which variant a report recommends.

`candidates` are what the choice depends on, with qualities of `shared_samples`; `rule` chooses; `words` and
`differences` say what and why.
"""
