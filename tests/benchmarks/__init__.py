"""Benchmarks, run by `./bonopay bench NAME`; figures go into docs/performance.md."""
