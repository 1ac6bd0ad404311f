"""The qualities of variants: `views` of each by itself; between variants on the samples that both ran `accuracies`, by
right and wrong answers, and `metrics`, for all other metrics.
"""
