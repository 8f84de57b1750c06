"""What to do next: graph, plan, events, state, decisions. Pure."""
