"""Speed and memory of the service, as ratios to a floor in the same run: `make bench`."""
