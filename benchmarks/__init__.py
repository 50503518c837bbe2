"""Benchmarks: ``python -m benchmarks`` runs all of them, ``python -m benchmarks.speed.mel`` runs one.

`speed` measures time and memory beside the tools that a user would otherwise take. `detection` measures how well
detectors, scorers and thresholds work on published recordings. `fuzz` sends damaged files through the package, and
`promises` checks the rates of false alarms that the thresholds promise.

Each module prints its Markdown tables. It also writes the tables, and one CSV file per table, to
``benchmarks/results``. Times depend on the machine: compare the ratios, because the contenders take turns within one
run.
"""
