"""How each system predicts: one module a system, registered by `milligray.learn.prediction`."""
