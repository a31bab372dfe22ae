"""What maintainers run (generators, house numbers), and models and servers for tests and benchmarks."""
