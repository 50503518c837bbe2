"""Geometry of every type of model of the transformers library, from its configuration and its front end."""

import math
from typing import Any

from ._hub_frames import Frames, Geometry


def _from(convolutions) -> Frames:
    return Frames(tuple((kernel, stride, 0, 0) for kernel, stride in convolutions))


def _cells(step: int) -> Frames:
    """Frames that stand for `step` samples each, and together for all samples."""
    return Frames(((step, step, 0, step - 1),))


def _centred(extractor: Any, after: int = 0) -> Frames:
    """Spectrogram with frames around every multiple of the hop length; `after` makes the number of frames right."""
    half = extractor.win_length // 2
    return Frames(((extractor.win_length, extractor.hop_length, half, after or half),))


def _kaldi(extractor: Any) -> Frames:
    """Kaldi's spectrogram: frames of 25 ms every 10 ms."""
    rate = extractor.sampling_rate
    return Frames(((round(0.025 * rate), round(0.01 * rate), 0, 0),))


def _adapted(frames: Frames, config: Any, padding: int) -> tuple[tuple[int, Frames], ...]:
    """Frames of the last layer of a model whose adapter makes them fewer."""
    if not getattr(config, "add_adapter", False):
        return ()
    for _ in range(config.num_adapter_layers):
        frames = frames.then(config.adapter_kernel_size, config.adapter_stride, padding, padding)
    return ((config.num_hidden_layers, frames),)


def ast(config: Any, extractor: Any) -> Geometry:
    """Audio spectrogram transformer: patches of Kaldi's spectrogram, zeros after a short one."""
    spectrogram = _kaldi(extractor)
    [(width, hop_length, _, _)] = spectrogram.convolutions
    patch = config.patch_size
    return Geometry(
        frames=spectrogram.then(patch, config.time_stride),
        shortest=width,
        max_samples=width + (min(extractor.max_length, config.max_length) - 1) * hop_length,
        grid=(
            (config.num_mel_bins - patch) // config.frequency_stride + 1,
            (config.max_length - patch) // config.time_stride + 1,
        ),
    )


def clap(config: Any, extractor: Any) -> Geometry:
    """CLAP repeats short windows."""
    return Geometry(frames=None, max_samples=extractor.nb_max_samples)


def convolutions(config: Any, extractor: Any) -> Geometry:
    """wav2vec 2.0 and others: convolutions over the waveform, and perhaps an adapter behind the last layer."""
    frames = _from(zip(config.conv_kernel, config.conv_stride))
    return Geometry(frames, _adapted(frames, config, padding=1))


def squeezed(config: Any, extractor: Any) -> Geometry:
    """SEW: the layers work at a fraction of the rate, and the last states are at the full rate again."""
    frames, factor = _from(zip(config.conv_kernel, config.conv_stride)), config.squeeze_factor
    last = Frames(frames.convolutions, multiple=factor)
    return Geometry(frames.then(factor, factor), ((config.num_hidden_layers, last),))


def w2v_bert(config: Any, extractor: Any) -> Geometry:
    """wav2vec 2.0 BERT: frames of Kaldi's spectrogram, two together."""
    frames = _kaldi(extractor).then(extractor.stride, extractor.stride)
    return Geometry(frames, _adapted(frames, config, padding=config.adapter_stride // 2))


def seamless(config: Any, extractor: Any) -> Geometry:
    """SeamlessM4T: as wav2vec 2.0 BERT, with an adapter of other names."""
    frames = _kaldi(extractor).then(extractor.stride, extractor.stride)
    if not config.add_adapter:
        return Geometry(frames)
    last, padding = frames, config.adaptor_stride // 2
    for _ in range(config.num_adapter_layers):
        last = last.then(config.adaptor_kernel_size, config.adaptor_stride, padding, padding)
    return Geometry(frames, ((config.speech_encoder_layers, last),))


def whisper(config: Any, extractor: Any) -> Geometry:
    """Whisper: a centred spectrogram without its last frame, and two convolutions. The front end pads to its length."""
    half = extractor.n_fft // 2
    spectrogram = Frames(((extractor.n_fft, extractor.hop_length, half, half - extractor.hop_length),))
    return Geometry(spectrogram.then(3, 1, 1, 1).then(3, 2, 1, 1), max_samples=extractor.n_samples)


def pooled_whisper(config: Any, extractor: Any) -> Geometry:
    """Encoders after Whisper that average pairs of frames behind the last layer."""
    made = whisper(config, extractor)
    assert made.frames is not None
    last = ((config.num_hidden_layers, made.frames.then(2, 2)),)
    return Geometry(made.frames, last, max_samples=made.max_samples)


def parakeet(config: Any, extractor: Any) -> Geometry:
    """Fast conformer: a centred spectrogram, and convolutions of stride 2."""
    half, hop_length = extractor.win_length // 2, extractor.hop_length
    frames = _centred(extractor, after=extractor.win_length - half - hop_length)
    kernel, stride = config.subsampling_conv_kernel_size, config.subsampling_conv_stride
    for _ in range(int(math.log2(config.subsampling_factor))):
        frames = frames.then(kernel, stride, (kernel - 1) // 2, (kernel - 1) // 2)
    # The front end divides by the standard deviation over time, of two frames at least.
    return Geometry(frames, shortest=2 * hop_length)


def lasr(config: Any, extractor: Any) -> Geometry:
    """Lasr: a spectrogram that begins with the first sample, and two convolutions."""
    kernel, stride = config.subsampling_conv_kernel_size, config.subsampling_conv_stride
    frames = _from([(extractor.win_length, extractor.hop_length), *[(kernel, stride)] * 2])
    return Geometry(frames)


def speech_to_text(config: Any, extractor: Any) -> Geometry:
    """Speech2Text: Kaldi's spectrogram, and convolutions of stride 2."""
    frames = _kaldi(extractor)
    for kernel in config.conv_kernel_sizes:
        frames = frames.then(kernel, 2, kernel // 2, kernel // 2)
    return Geometry(frames, shortest=round(0.025 * extractor.sampling_rate))


def granite(config: Any, extractor: Any) -> Geometry:
    """Granite Speech: a centred spectrogram whose frames are taken in pairs."""
    settings = extractor.melspec_kwargs
    half = settings["win_length"] // 2
    frames = Frames(((settings["win_length"], settings["hop_length"], half, half),)).then(2, 2)
    return Geometry(frames, shortest=settings["n_fft"] // 2 + 1)


def granite5(config: Any, extractor: Any) -> Geometry:
    """Granite Speech 5: the same, and some of its layers halve the number of frames."""
    after = extractor.win_length - extractor.win_length // 2 - extractor.hop_length
    frames = made = _centred(extractor, after).then(2, 2, 0, 1)
    later = []
    for layer in sorted(config.subsample_layers):
        made = made.then(2, 2)
        later.append((layer + 1, made))
    return Geometry(frames, tuple(later), shortest=extractor.n_fft // 2 + 1)


def moonshine(config: Any, extractor: Any) -> Geometry:
    """Moonshine: three convolutions over the waveform, as its code has them."""
    return Geometry(_from([(127, 64), (7, 3), (3, 2)]))


def streaming_frame(config: Any) -> int:
    """Number of samples of a frame of Moonshine Streaming, before its convolutions."""
    return round(config.sample_rate * config.frame_ms / 1000)


def moonshine_streaming(config: Any, extractor: Any) -> Geometry:
    """Moonshine Streaming: frames of 5 ms, and two causal convolutions of stride 2."""
    length = streaming_frame(config)
    return Geometry(_from([(length, length)]).then(5, 2, 4).then(5, 2, 4))


def codec(config: Any, extractor: Any) -> Geometry:
    """DAC and PE Audio: the front end fills the last frame, and each frame stands for its own samples."""
    return Geometry(_cells(extractor.hop_length), shortest=extractor.hop_length)


def encodec(config: Any, extractor: Any) -> Geometry:
    """EnCodec of one channel."""
    if config.audio_channels != 1 or config.chunk_length_s is not None or config.normalize:
        raise ValueError(
            "this EnCodec takes two channels, or levels and cuts its input in pieces: take a model of one channel that "
            "does not, such as 'facebook/encodec_24khz'."
        )
    return Geometry(_cells(math.prod(config.upsampling_ratios)), shortest=math.prod(config.upsampling_ratios))


def mimi(config: Any, extractor: Any) -> Geometry:
    """Mimi: as EnCodec, with a transformer and one more step behind it."""
    step = round(config.sampling_rate / config.frame_rate)
    return Geometry(_cells(step), shortest=step)
