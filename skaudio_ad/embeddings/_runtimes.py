"""The ways to run a network, behind one interface: torch, ONNX Runtime, OpenVINO, and the runtimes of families."""

import io
import sys
import threading
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .._checks import check_option
from ..training import resolve_device
from ._engine import names_of, one_or_all
from .families import FAMILIES, Family, Variant

if TYPE_CHECKING:
    import numpy as np
    import torch

# Packages that a runtime needs besides torch, and the extra of this package that installs them.
_EXPORTED = {
    "onnxruntime": (("onnx", "onnxruntime"), "onnx"),
    "openvino": (("onnx", "openvino"), "openvino"),
}
#: Runtimes of at least one family.
RUNTIMES: tuple[str, ...] = (
    "torch",
    *_EXPORTED,
    *(name for family in FAMILIES for name in family.own_runtimes),
)
# Length of the example that an export traces, in seconds: 64 frames of 10 ms.
_EXAMPLE_SECONDS = 0.64


def check_runtime(runtime: str, *, family: Family, precision: str, device: str) -> str:
    """Raise unless a network can be run this way here; no network is built, and only torch is imported.

    Parameters
    ----------
    runtime : str
        One of ``RUNTIMES``.
    family : Family
    precision : {"float32", "bfloat16"}
    device : str
        As for :func:`resolve_device`.

    Returns
    -------
    str
        The device that the network will run on.

    Raises
    ------
    ImportError
        If a package is missing; the message names the extra that installs it.
    ValueError
        If `runtime`, `precision` or `device` is unknown, or they do not go together.
    """
    check_option(runtime, "runtime", RUNTIMES)
    check_option(precision, "precision", ("float32", "bfloat16"))
    _check_family(runtime, family, precision)
    if runtime in _EXPORTED:
        if str(device) not in ("auto", "cpu"):
            raise ValueError(
                f'device must be "auto" or "cpu" with runtime={runtime!r}, got {device!r}; on a GPU use '
                'runtime="torch".'
            )
        device = "cpu"
    device = str(resolve_device(device))
    if runtime in family.own_runtimes:
        own = family.own_runtimes[runtime]
        packages, extra = own.packages, own.extra
    else:
        packages, extra = _EXPORTED.get(runtime, ((), ""))
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"runtime={runtime!r} needs {' and '.join(missing)}, not installed here: "
            f"pip install 'skaudio_ad[{extra}]'. Or use runtime=\"torch\"."
        )
    return device


def fastest_runtime(*, family: Family, precision: str, device: str) -> str:
    """The runtime that ``runtime="auto"`` stands for on this machine.

    Parameters
    ----------
    family : Family
    precision : {"float32", "bfloat16"}
    device : str
        As for :func:`resolve_device`.

    Returns
    -------
    str
        In float32 on a CPU, the first of "onnxruntime" and "openvino" that is installed and takes the family. Otherwise
        "torch".
    """
    if precision == "float32" and family.no_export is None and resolve_device(device).type == "cpu":
        for runtime, (packages, _) in _EXPORTED.items():
            if all(find_spec(package) is not None for package in packages):
                return runtime
    return "torch"


def _check_family(runtime: str, family: Family, precision: str) -> None:
    """Raise unless a runtime takes the networks of a family, in this precision."""
    if runtime not in ("torch", *_EXPORTED, *family.own_runtimes):
        owners = " and ".join(other.title for other in FAMILIES if runtime in other.own_runtimes)
        raise ValueError(f'runtime="{runtime}" runs {owners} only, got a {family.name}; use runtime="torch".')
    if runtime in _EXPORTED and family.no_export is not None:
        raise ValueError(
            f'runtime={runtime!r} does not take a {family.title}: {family.no_export}. Use runtime="torch".'
        )
    if precision == "bfloat16":
        why = {"onnxruntime": "ONNX Runtime computes with float32 on a CPU", **family.no_bfloat16}.get(
            runtime
        )
        if why is not None:
            other = "" if runtime == "torch" else ' or runtime="torch"'
            raise ValueError(
                f'runtime={runtime!r} takes precision="float32" here, got {precision!r}: {why}. '
                f'Use precision="float32"{other}.'
            )


def make_runtime(
    runtime: str,
    network: "torch.nn.Module",
    *,
    family: Family,
    backbone: Variant,
    precision: str,
    device: str,
) -> Any:
    """Make a network ready to run.

    Parameters
    ----------
    runtime, precision, device : str
        Values that :func:`check_runtime` has passed.
    network : torch.nn.Module
        Network of the backbone, with its weights. The runtime may keep it; do not change it afterwards.
    family : Family
    backbone : Backbone

    Returns
    -------
    callable
        Maps spectrograms, (n_windows, n_bins, n_frames), and the name of an output to a float32 ndarray. A tuple of
        names gives a tuple of arrays, made in one pass. Threads may share the callable. Its ``front_end`` makes
        spectrograms of waveforms.
    """
    network = network.eval().requires_grad_(False)
    if runtime in family.own_runtimes:
        return family.own_runtimes[runtime].make(network, device)
    front_end = family.build_front_end(backbone).eval().requires_grad_(False)
    if runtime == "torch":
        return TorchRuntime(network, front_end, precision, device)
    n_samples = max(family.min_samples(backbone), round(_EXAMPLE_SECONDS * (backbone.sample_rate or 0)))
    if runtime == "onnxruntime":
        return ONNXRuntime(network, front_end, n_samples)
    return OpenVINORuntime(network, front_end, n_samples, precision)


class TorchRuntime:
    """torch itself, by :func:`for_inference`."""

    def __init__(
        self, network: "torch.nn.Module", front_end: "torch.nn.Module", precision: Any, device: str
    ) -> None:
        from ..networks import for_inference

        self.front_end = front_end.to(device)
        self.network = for_inference(network, precision=precision).to(device)

    def __call__(self, spectrograms: "torch.Tensor", output: str | tuple[str, ...]) -> Any:
        """Outputs of spectrograms."""
        made = self.network(spectrograms, names_of(output))
        return one_or_all({name: values.float().cpu().numpy() for name, values in made.items()}, output)


class _ExportedRuntime:
    """A runtime that takes networks as ONNX, one for each set of outputs, made when the set is first asked for.

    To make one takes a second (mn10) to four seconds (PaSST, a third of a gigabyte), once a process and set. Each set
    of outputs has a network of its own, because a PaSST that embeds a clip leaves out what only its patches need.
    """

    def __init__(self, network: "torch.nn.Module", front_end: "torch.nn.Module", n_samples: int) -> None:
        self.front_end = front_end
        self._network = network
        self._n_samples = n_samples
        self._made: dict[tuple[str, ...], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, spectrograms: "torch.Tensor", output: str | tuple[str, ...]) -> Any:
        """Outputs of spectrograms."""
        import torch

        names = names_of(output)
        with self._lock:
            if names not in self._made:
                with torch.inference_mode(False), torch.no_grad():
                    example = self.front_end(torch.zeros(2, self._n_samples))
                    self._made[names] = self._make(export_onnx(self._network, names, example))
        made = self._run(self._made[names], spectrograms.numpy())
        return one_or_all(dict(zip(names, made)), output)

    def _make(self, onnx: bytes) -> Any:
        raise NotImplementedError

    def _run(self, made: Any, spectrograms: "np.ndarray") -> "list[np.ndarray]":
        """All outputs, in the order of their names."""
        raise NotImplementedError


class ONNXRuntime(_ExportedRuntime):
    """ONNX Runtime on the CPU, in float32."""

    def _make(self, onnx: bytes) -> Any:
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors only; an error is raised as well
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    def _run(self, made: Any, spectrograms: "np.ndarray") -> "list[np.ndarray]":
        return made.run(None, {"spectrograms": spectrograms})


class OpenVINORuntime(_ExportedRuntime):
    """OpenVINO on the CPU, in float32 or bfloat16.

    One compiled network takes all lengths and batches. A network compiled for a fixed shape would be a twentieth faster
    (mn10, batches of eight), but it would take 0.15 s for every other shape.
    """

    def __init__(
        self, network: "torch.nn.Module", front_end: "torch.nn.Module", n_samples: int, precision: str
    ) -> None:
        super().__init__(network, front_end, n_samples)
        self._precision = {"float32": "f32", "bfloat16": "bf16"}[precision]

    def _make(self, onnx: bytes) -> Any:
        import torch

        core = import_openvino().Core()
        return core.compile_model(
            core.read_model(onnx),
            "CPU",
            {
                # Set in any case: the default is bfloat16 where the processor has instructions for it.
                "INFERENCE_PRECISION_HINT": self._precision,
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
                # With pinning, all worker processes would pin their threads to the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )

    def _run(self, made: Any, spectrograms: "np.ndarray") -> "list[np.ndarray]":
        with self._lock:  # a compiled network runs one request at a time
            return [values.copy() for values in made(spectrograms).to_tuple()]


def export_onnx(network: "torch.nn.Module", outputs: tuple[str, ...], example: "torch.Tensor") -> bytes:
    """Export some outputs of a network as ONNX, for any number of clips and frames.

    torch's older exporter does it: it takes a tenth of the time of the newer one, whose symbolic shapes cost 6 s for a
    MobileNet, and it needs onnx but not onnxscript.

    Parameters
    ----------
    network : torch.nn.Module
        Network of a family, in evaluation mode. A network of `for_inference` cannot be exported, because its
        operations are torch's own.
    outputs : tuple of str
    example : torch.Tensor of shape (n_windows, n_bins, n_frames)
        Output of the front end that the export traces.

    Returns
    -------
    bytes
    """
    import torch

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, spectrograms: torch.Tensor) -> tuple[torch.Tensor, ...]:
            made = self.network(spectrograms, outputs)
            return tuple(made[name] for name in outputs)

    file = io.BytesIO()
    # The older exporter warns that it is deprecated, about traced shape checks, and about lengths that it treats as
    # constants, which here they are.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = Outputs().eval()
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]  # the annotation is the newer exporter's
            dynamo=False,
            input_names=["spectrograms"],
            output_names=list(outputs),
            dynamic_axes={
                "spectrograms": {0: "n_clips", example.ndim - 1: "n_frames"},
                **{
                    name: {axis: f"{name}_{axis}" for axis in range(values.ndim)}
                    for name, values in zip(outputs, module(example))
                },
            },
        )
    return file.getvalue()


def import_openvino() -> Any:
    """Import the package openvino without its telemetry.

    Importing openvino sends a message to Google Analytics and leaves files in the home directory, unless the user has
    objected (``opt_in_out --opt_out``). openvino skips this if the package openvino_telemetry is not installed.
    """
    package = "openvino_telemetry"
    if "openvino" not in sys.modules and package not in sys.modules:
        sys.modules[package] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            sys.modules.pop(package, None)
    import openvino

    return openvino
