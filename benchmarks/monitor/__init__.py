"""Simulate days of monitoring: false events, delays, drift, memory, time, and receivers that are away.

Run: ``python -m benchmarks.monitor [--quick] [--parts NAME ...] [--seed 0]``; see ``benchmarks/monitor/__main__.py``.
"""
