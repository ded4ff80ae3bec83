"""From target weights to orders: rounding, costs, states. Pure."""
