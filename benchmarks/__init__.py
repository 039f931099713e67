"""Speed and efficiency, measured as ratios in one run. `python -m benchmarks --help`."""
