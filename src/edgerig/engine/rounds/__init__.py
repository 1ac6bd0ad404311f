"""The rounds of a cell, from its session on the device to the figures of its result.

To be read from top to bottom:

`context`: all inputs of a cell's measurement, the same in each of its rounds.
`repetition`: how many rounds there are.
`first`: the first round, whose session (`first_session`) runs every sample and all that is measured once only.
`later`: the others, which measure times and memory alone.
`deployment`: the network on its device, deployed again where that was lost; `journal` keeps what has arrived.
`steady`: the measured inferences of any round.
`offline`, `host_time`, `session_state`, `placement`, `repeatability`: what else a session is asked, one file each.
`score`: what the task makes of the answers, with the doubts of `same_network` and `category_codes`.
`figures`: the median over rounds, with the interval between them.
"""
