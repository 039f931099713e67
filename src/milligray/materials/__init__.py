"""Elements, mixtures, HU calibration curves, coefficient tables ready for a kernel."""
