"""Where each tensor lies: the arena and its planner."""
