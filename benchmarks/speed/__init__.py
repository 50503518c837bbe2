"""Time and memory, beside the tools that a user would otherwise take."""
