"""Options of the scenarios in which several requests may be under way."""

from __future__ import annotations

import click

from edgerig.cli.option_group import option_group
from edgerig.cli.options import FiniteRange

#: The settings of `edgerig.rig.types.Measure` that these options set.
LOAD_OPTIONS = ("streams", "rate", "latency_bound", "percentile", "load_seconds", "arrival_seed")

load_options = option_group(
    click.option("--streams", type=int, metavar="N", help="Sessions at once, in the scenarios streams and server."),
    click.option("--rate", type=FiniteRange(), metavar="RATE", help="Arrivals a second in the scenario server."),
    click.option(
        "--latency-bound",
        metavar="TIME",
        help="Longest latency in the scenario server, such as '50 ms': without --rate, the highest rate is sought.",
    ),
    click.option(
        "--percentile",
        metavar="PERCENT",
        type=FiniteRange(),
        help="Of the latency that the bound is for.  [default: 99]",
    ),
    click.option(
        "--load-seconds",
        metavar="SECONDS",
        type=FiniteRange(),
        help="Of a round, or each rate that is tried.  [default: 3]",
    ),
    click.option("--arrival-seed", type=int, help="Of the random arrivals.  [default: 0]"),
)
