"""Random draws of torch from a generator of one's own."""

import inspect

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
# Every function of torch that draws and takes a generator.
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
    """Block in which what this thread draws on the CPU comes from one generator.

    torch's modules draw their initial weights from the global generator and cannot be told otherwise. Seeding the
    global generator and putting it back does not help, because all threads share it. A mode belongs to one thread.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU.
    """

    def __init__(self, generator):
        super().__init__()
        self._generator = generator

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch, with the generator where it takes one."""
        kwargs = {} if kwargs is None else kwargs
        if func in _FUNCTIONS and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self._generator}
        return func(*args, **kwargs)
