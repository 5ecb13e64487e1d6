"""The study of recorded V2 frames: which keys are proprietary, and which dialect would translate them. Pure."""
