"""What goes into the network of a cell and what comes out, sample by sample.

`evaluation` has the test samples, made ready for a network's input; `sequences` those that a network with a state must
be given in order; `portions` puts inferences together to whole samples; `outputs` are a device's raw answers, of which
`finite_outputs` says whether they are numbers; `stored_rows` keeps on disk what memory does not hold.
"""
