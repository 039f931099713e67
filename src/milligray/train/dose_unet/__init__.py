"""Dose U-Net: patches of dose maps, ensemble, calibration, recipe and study."""
