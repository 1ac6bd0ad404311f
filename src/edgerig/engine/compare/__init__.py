"""Two networks measured on one device, in turns, until it is known which is faster.

To be read from top to bottom:

`pair`: what a pair is: a fresh process of each variant, both with their raw times.
`processes`: how a pair is measured: chunks of inferences in turns, A B B A.
`series`: pairs, until there is a verdict or there are enough of them.
`verdicts`: how a series is judged, metric by metric.
`cell`: a cell's series, and before it A against itself, which shows what this machine can tell now.
`live`: what ``edgerig compare`` does with two rigs.
`load_rounds`: pairs of rounds with several requests under way, where processes that take turns say nothing.
`confirm`: what a gate measures once more in pairs, because stored rounds leave it open.
`gate`: what ``edgerig gate`` does with a rig and a baseline.

The statistics are in `edgerig.measure.comparison`; comparing rounds that are stored is `edgerig.results.compare`.
"""
