"""The qualities of variants.

`views` shows each by itself. Two at a time they are compared on the samples that both ran (`comparisons`), in a table
of right and wrong answers (`accuracies`), or of any other metric (`metrics`).
"""
