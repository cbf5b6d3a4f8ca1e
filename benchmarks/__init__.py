"""Benchmarks: one file per claim, with ratios to other packages measured in the same run."""
