"""Studies recorded V2 frames offline: which keys are proprietary, and which dialect would translate them. Pure."""
