"""Speed and memory beside the tools a user would otherwise take: ``python -m benchmarks.<name>``.

Each module prints its Markdown tables and writes them, and one CSV file per table, to
``benchmarks/results``. Times depend on the machine: compare the ratios, which come from repetitions
taken in turn within one run.
"""
