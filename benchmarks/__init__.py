"""Benchmark scripts and studies; run them from the root of the checkout: ``python -m benchmarks.spine``."""
