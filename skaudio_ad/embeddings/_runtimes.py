"""The ways to run a network, behind one interface: torch, ONNX Runtime, OpenVINO, and hear21passt."""

import io
import sys
import threading
import warnings
from importlib.util import find_spec

from .._checks import check_option
from ..training import drawing_from, resolve_device

# What each needs besides torch, and the extra of this package that installs it.
_EXTRAS = {
    "onnxruntime": ("onnx", ("onnx", "onnxruntime")),
    "openvino": ("openvino", ("onnx", "openvino")),
    "hear21passt": ("passt", ("hear21passt", "timm", "torchaudio", "torchvision")),
}
RUNTIMES = ("torch", *_EXTRAS)


def check_runtime(runtime, *, family, precision, device):
    """Raise unless a network can be run this way here; nothing is built or imported for it but torch.

    Parameters
    ----------
    runtime : {"torch", "onnxruntime", "openvino", "hear21passt"}
    family : {"mobilenet", "passt"}
    precision : {"float32", "bfloat16"}
    device : str
        As for :func:`resolve_device`.

    Returns
    -------
    str
        The device that it will run on.

    Raises
    ------
    ImportError
        If a package is missing; the message names the extra that installs it.
    ValueError
        If `runtime`, `precision` or `device` is unknown, or they do not go together.
    """
    check_option(runtime, "runtime", RUNTIMES)
    check_option(precision, "precision", ("float32", "bfloat16"))
    if runtime == "hear21passt" and family != "passt":
        raise ValueError(f'runtime="hear21passt" runs PaSST only, got a {family}; use runtime="torch".')
    if precision == "bfloat16":
        why = {
            "onnxruntime": "ONNX Runtime computes with float32 on a CPU",
            "hear21passt": "it runs as its authors published it",
        }.get(runtime)
        if runtime == "openvino" and family == "mobilenet":
            # Measured with the published mn04 on ESC-10 and MIMII, clip embeddings: 8 to 10 %.
            why = "it rounds all layers of a MobileNet, and embeddings would be a tenth off"
        if why is not None:
            raise ValueError(
                f'runtime={runtime!r} takes precision="float32" here, got {precision!r}: {why}. '
                'Use precision="float32" or runtime="torch".'
            )
    if runtime in ("onnxruntime", "openvino"):
        if str(device) not in ("auto", "cpu"):
            raise ValueError(
                f'device must be "auto" or "cpu" with runtime={runtime!r}, got {device!r}; on a GPU use '
                'runtime="torch".'
            )
        device = "cpu"
    device = str(resolve_device(device))
    if runtime in _EXTRAS:
        extra, packages = _EXTRAS[runtime]
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            raise ImportError(
                f"runtime={runtime!r} needs {' and '.join(missing)}, not installed here: "
                f"pip install 'skaudio_ad[{extra}]'. Or use runtime=\"torch\"."
            )
    return device


def make_runtime(runtime, network, *, precision, device):
    """A network made ready to run.

    Parameters
    ----------
    runtime, precision, device : str
        That :func:`check_runtime` has passed.
    network : MobileNet or PaSST
        With its weights; it may be kept, and must not be changed after this.

    Returns
    -------
    callable
        Maps spectrograms, (n_clips, 128, n_frames), and the name of an output to a float32 ndarray. Threads may
        share it. Its ``front_end`` makes spectrograms of waveforms.
    """
    network = network.eval().requires_grad_(False)
    if runtime == "onnxruntime":
        return ONNXRuntime(network)
    if runtime == "openvino":
        return OpenVINORuntime(network, precision)
    if runtime == "hear21passt":
        return Hear21PaSSTRuntime(network, device)
    return TorchRuntime(network, precision, device)


class TorchRuntime:
    """torch itself, by :func:`for_inference`."""

    def __init__(self, network, precision, device):
        from ..networks import AudioSetFrontEnd, for_inference

        self.front_end = AudioSetFrontEnd().to(device)
        self.network = for_inference(network, precision=precision).to(device)

    def __call__(self, spectrograms, output):
        return self.network(spectrograms, (output,))[output].float().cpu().numpy()


class _ExportedRuntime:
    """A runtime that takes networks as ONNX; one for each output, made when that is first asked for.

    This takes a second (mn10) to four (PaSST, a third of a gigabyte), once a process and output. They are apart because
    PaSST that embeds a clip leaves out what only its patches need.
    """

    def __init__(self, network):
        from ..networks import AudioSetFrontEnd

        self.front_end = AudioSetFrontEnd()
        self._network = network
        self._made = {}
        self._lock = threading.Lock()

    def __call__(self, spectrograms, output):
        with self._lock:
            if output not in self._made:
                self._made[output] = self._make(export_onnx(self._network, output))
        return self._run(self._made[output], spectrograms.numpy())

    def _make(self, onnx):
        raise NotImplementedError

    def _run(self, made, spectrograms):
        raise NotImplementedError


class ONNXRuntime(_ExportedRuntime):
    """ONNX Runtime on the CPU, in float32."""

    def _make(self, onnx):
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors, which are raised as well
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    def _run(self, made, spectrograms):
        return made.run(None, {"spectrograms": spectrograms})[0]


class OpenVINORuntime(_ExportedRuntime):
    """OpenVINO on the CPU, in float32 or bfloat16.

    One network for all lengths and batches. Compiled for a fixed shape it would be a twentieth faster (mn10, batches of
    eight), and take 0.15 s for every other shape.
    """

    def __init__(self, network, precision):
        super().__init__(network)
        self._precision = {"float32": "f32", "bfloat16": "bf16"}[precision]

    def _make(self, onnx):
        import torch

        core = import_openvino().Core()
        return core.compile_model(
            core.read_model(onnx),
            "CPU",
            {
                # Said in any case: the default is bfloat16 where the processor has instructions for it.
                "INFERENCE_PRECISION_HINT": self._precision,
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
                # Worker processes would all pin their threads to the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )

    def _run(self, made, spectrograms):
        with self._lock:  # a compiled network runs one request at a time
            return next(iter(made(spectrograms).values())).copy()


class Hear21PaSSTRuntime:
    """The authors' own PaSST and front end, from their package hear21passt, as it runs by itself but quietly."""

    def __init__(self, network, device):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from hear21passt.models import passt
            from hear21passt.models.preprocess import AugmentMelSTFT
        # Their way to print nine kilobytes in the first pass of a process.
        passt.first_RUN = False
        with drawing_from(0):  # it draws weights, which are then replaced
            self.network = passt.PaSST(
                stride=network.patch_embed["proj"].stride,
                depth=len(network.blocks),
                num_classes=network.head[1].out_features,
                distilled=True,
            )
        self.network.load_state_dict(network.state_dict(), strict=True)
        self.network.to(device).eval().requires_grad_(False)
        # The values of their get_basic_model; they write 15 000 Hz as None, and print that.
        self.log_mel = (
            AugmentMelSTFT(
                n_mels=128, sr=32000, win_length=800, hopsize=320, n_fft=1024, freqm=48, timem=192,
                htk=False, fmin=0.0, fmax=15_000, norm=1, fmin_aug_range=10, fmax_aug_range=2000,
            )
            .to(device)
            .eval()
        )  # fmt: skip
        self._lock = threading.Lock()

    def front_end(self, waveforms):
        """Spectrograms, (n_clips, 128, n_frames), of waveforms, (n_clips, n_samples)."""
        # It draws a mel bank at random each time, also where it does not use that.
        with self._lock, warnings.catch_warnings(), drawing_from(0):
            warnings.simplefilter("ignore")  # of a name of autocast that torch has another for
            return self.log_mel(waveforms)

    def __call__(self, spectrograms, output):
        tokens = []
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of spectrograms that have not 998 frames
            hook = self.network.norm.register_forward_hook(lambda module, inputs, made: tokens.append(made))
            try:
                logits, clip = self.network(spectrograms[:, None])
            finally:
                hook.remove()
        made = tokens[0].transpose(1, 2)
        grid = made[:, :, 2:].unflatten(2, (self.network.freq_new_pos_embed.shape[2], -1))
        outputs = {
            "clip": clip,
            "class_token": made[:, :, 0],
            "distillation_token": made[:, :, 1],
            "tokens": made,
            "patch_mean": grid.mean((2, 3)),
            "frames": grid.mean(2),
            "grid": grid,
            "logits": logits,
        }
        return outputs[output].cpu().numpy()


def export_onnx(network, output):
    """One output of a network as ONNX, for any number of clips and frames.

    By torch's older exporter: it takes a tenth of the time of the newer one, whose symbolic shapes cost 6 s for a
    MobileNet, and needs onnx but not onnxscript.

    Parameters
    ----------
    network : MobileNet or PaSST
        In evaluation mode. Not of `for_inference`, whose operations are torch's own.
    output : str

    Returns
    -------
    bytes
    """
    import torch

    class Output(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, spectrograms):
            return self.network(spectrograms, (output,))[output]

    file = io.BytesIO()
    # Of its own age, of the checks of shapes, and of lengths that it takes for constants and that are.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(2, 128, 64)
        module = Output().eval()
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]  # the annotation is the newer exporter's
            dynamo=False,
            input_names=["spectrograms"],
            output_names=[output],
            dynamic_axes={
                "spectrograms": {0: "n_clips", 2: "n_frames"},
                output: {axis: f"{output}_{axis}" for axis in range(module(example).ndim)},
            },
        )
    return file.getvalue()


def import_openvino():
    """The package openvino, without its telemetry.

    To import it sends a message to Google Analytics, and leaves files in the home directory, unless the user
    has objected (``opt_in_out --opt_out``). It does without where the package for that is not installed.
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
