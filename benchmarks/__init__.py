"""Benchmarks: one file a claim of speed, with ratios against peers measured in the same run."""
