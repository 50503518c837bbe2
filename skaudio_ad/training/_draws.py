"""Random numbers of torch from one given generator."""

import inspect
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FILLING = (
    "bernoulli_",
    "cauchy_",
    "exponential_",
    "geometric_",
    "log_normal_",
    "normal_",
    "random_",
    "uniform_",
)
_DRAWING = ("bernoulli", "multinomial", "normal", "poisson", "rand", "randint", "randn", "randperm")
# All functions of torch that draw random numbers and take a generator.
_FUNCTIONS = {
    *(getattr(torch.Tensor, name) for name in (*_FILLING, "bernoulli", "multinomial")),
    *(getattr(torch, name) for name in _DRAWING),
    *(
        function
        for _, function in inspect.getmembers(torch.nn.init, inspect.isfunction)
        if "generator" in inspect.signature(function).parameters
    ),
}


class DrawingFrom(TorchFunctionMode):
    """Block in which the random numbers that this thread draws on the CPU come from one generator.

    Modules of torch always draw their initial weights from the global generator. Seeding and restoring the global
    generator does not help, because all threads share this generator. A mode of torch belongs to one thread.

    Parameters
    ----------
    generator : torch.Generator
        A generator on the CPU.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self._generator = generator

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, with the generator if the function takes one."""
        kwargs = {} if kwargs is None else kwargs
        if func in _FUNCTIONS and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self._generator}
        return func(*args, **kwargs)
