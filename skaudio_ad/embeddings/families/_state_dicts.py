"""Names and shapes of the tensors in files of weights."""

import re
from collections.abc import Mapping
from typing import Any


def tensor_shape(content: Any, name: str) -> tuple[int, ...] | None:
    """Shape of a tensor in the content of a file of weights, or None where the file has no such tensor."""
    value: Any = content.get(name) if isinstance(content, Mapping) else None
    return tuple(value.shape) if hasattr(value, "shape") else None


def count_blocks(content: Mapping[Any, Any], prefix: str) -> int:
    """Number of blocks in a state dict whose tensors are called `prefix`, the number of the block, ".", and more."""
    numbers = (
        str(name).removeprefix(prefix).split(".")[0] for name in content if str(name).startswith(prefix)
    )
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def keep_blocks(state: Mapping[str, Any], prefix: str, depth: int) -> dict[str, Any]:
    """A state dict without the blocks behind the first `depth` ones."""
    dropped = re.compile(re.escape(prefix) + r"(\d+)\.")
    return {
        name: value
        for name, value in state.items()
        if (match := dropped.match(name)) is None or int(match[1]) < depth
    }
