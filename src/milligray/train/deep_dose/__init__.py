"""Deep-dose: single positions of the tube, their fit, whole scans, recipe and study."""
