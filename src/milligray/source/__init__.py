"""Sources of photons: X-ray tubes, CT scanners and scans, plain beams."""
