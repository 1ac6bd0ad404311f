"""Power monitors: instruments that sample what a device draws, and the energy between two marks of theirs."""
