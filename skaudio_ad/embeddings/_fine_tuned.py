"""`FineTunedEmbedding`: a pretrained backbone, tuned on clips of one's own, as a transformer."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted

from .._checks import users_level
from .._checksums import WeightsError
from .._lazy import gather
from .._output import TableOutputMixin
from .._progress import with_progress
from .._typing import Clips, IntArray, PathLike, RandomState
from ..audio import AudioClips, as_clips
from ..training import TrainingRows, make_stopping, resolve_device, train_estimator
from ._backbone_embedding import BackboneEmbedding
from ._embed_clips import embed_clips
from ._fine_tuned_checkpoint import read_checkpoint, write_checkpoint
from ._fine_tuned_engine import PROJECTION, TunedEngine, build_tuned
from ._fine_tuned_labels import check_labels, hold_out, number_classes, training_clips
from ._fine_tuned_parameters import check_parameters
from ._fine_tuned_windows import TuningLoss, WindowBank

if TYPE_CHECKING:
    from ..networks import NetworkDescription
    from ..training import Patience, Prechelt

# Minimum number of windows in an epoch with windows_per_clip="auto": eight batches.
_FEWEST_WINDOWS = 256


class FineTunedEmbedding(CallbackSupportMixin, TableOutputMixin, BaseEstimator):
    """Tune a pretrained backbone on labels that normal clips have, then embed clips with it.

    `fit` trains a classifier of machines, sections, attributes or patients on the "clip" embedding of the backbone, or,
    without labels, a contrastive loss of two windows of every clip. `transform` gives the outputs of the tuned backbone
    to any detector. Anomalies take no part: the labels tell normal clips apart.

    Parameters
    ----------
    embedding : BackboneEmbedding
        :class:`MobileNetEmbedding`, :class:`PaSSTEmbedding` or :class:`BackboneEmbedding`, not fitted. Its parameters
        say which weights are the start, and how `transform` embeds: `output`, `window`, `hop`, `memory`, `n_jobs`,
        `verbose` and so on.

    objective : {"softmax", "arcface", "adacos", "self"}, default="softmax"
        Loss. "softmax" is the cross-entropy of a linear classifier. "arcface" [1]_ and "adacos" [2]_ classify by
        angles; "adacos" needs no parameters. "self" needs no labels: two random windows of a clip must find each other
        among those of other clips (NT-Xent [3]_).

    trainable : int or {"all", "head", "lora"}, default=2
        What is trained besides the head. An integer n: the last n layers or blocks of the backbone. "all": all layers.
        "lora": low-rank adapters [4]_ of its linear layers and pointwise convolutions. "head": nothing; a linear
        projection of the frozen embedding is trained. On a few hundred clips, sounds of new classes were found less
        well after all layers had been tuned, and about as well after the last two
        (``python -m benchmarks.detection.fine_tuning``). Compare with the frozen backbone before you tune.

    output : {"auto", "embedding", "projection"}, default="auto"
        What `transform` returns. "embedding" is the `output` of `embedding`, by the tuned backbone. "projection" is the
        learnt projection of the "clip" embedding. "auto" is "projection" with ``trainable="head"``, and else
        "embedding".

    projection_size : int or None, default=None
        Number of values of a linear projection between embedding and head. None is 128 with ``trainable="head"`` and
        ``objective="self"`` (as SimCLR [3]_), and else no projection.

    rank : int, default=8
        Rank of the adapters of "lora".

    alpha : float, default=16.0
        The product of an adapter is multiplied by ``alpha / rank``.

    margin, scale : float, default=0.5 and 64.0
        Of "arcface", as in the paper.

    temperature : float, default=0.1
        Of "self", as in the paper.

    patchout : tuple of (int, int), default=(0, 0)
        Numbers of rows (bands) and columns (times) of patches that a PaSST leaves out at random in every step.

    augmenter : Augmenter or None, default=None
        Variations of the windows in training. Methods that mask spectrograms are applied behind the front end, and all
        others to waveforms. Any transformer whose ``fit_transform`` takes waveforms, (n_windows, n_samples), will do.
        Clips to embed are never varied.

    mixup_alpha : float, default=0.0
        Spectrograms of a batch are mixed in pairs, with a weight from Beta(alpha, alpha), and so are their losses. 0
        mixes none. Not for "self".

    window : float, default=2.0
        Length of the random windows that are trained on, in seconds. Silence is put after a clip that is shorter.

    windows_per_clip : int or "auto", default="auto"
        Number of random windows of every clip in an epoch. "auto" is one, and more for fewer than 256 clips, so that an
        epoch has at least 256 windows.

    max_epochs : int, default=30
        Maximum number of epochs.

    batch_size : int, default=32
        Number of windows in a batch.

    learning_rate : float, default=1e-3
        Learning rate of Adam for head, projection and adapters.

    backbone_learning_rate : float, default=1e-4
        Learning rate of Adam for the layers of the backbone. A rate below that of the new layers keeps what the
        pretraining learnt.

    weight_decay : float, default=0.0
        Weight decay of Adam.

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        Criterion that stops before `max_epochs`, by the loss of held-out clips.

    n_iter_no_change, tol : int and float, default=10 and 1e-4
        Parameters of "patience".

    validation_fraction : float, default=0.1
        Fraction of the clips of every class to hold out, in whole groups. With 0 the training loss is monitored.

    checkpoint : path-like or None, default=None
        File, ending in ".safetensors", of the best weights so far, written atomically after every epoch that improves.
        :meth:`load_checkpoint` reads it. `fit` never reads it: a fit starts over, and replaces the file after its first
        epoch, because weights of another fit may have seen clips that are held out now.

    device : str or None, default=None
        Device of training and `transform`. None is that of `embedding`.

    deterministic : bool, default=False
        Whether only deterministic algorithms train, so that a fit on a GPU repeats bit for bit.

    random_state : int, RandomState instance or None, default=None
        Seed of the held-out clips, the initial weights of the head, the windows and their variations.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels. Empty for "self".

    embedding_ : BackboneEmbedding
        Copy of `embedding` that `transform` uses.

    tuned_weights_ : dict of {str: ndarray}
        Trained arrays, and no others: adapters and head only, for "lora".

    weights_digest_ : str or None
        SHA-256 of the file of weights at the start. `transform` reads this file and refuses another one.

    loss_curve_, validation_loss_curve_ : list of float
        Mean losses of every epoch. The second list is empty without held-out clips.

    n_iter_ : int
        Number of complete epochs.

    best_epoch_ : int
        Epoch whose weights were kept, counted from 0.

    stopped_by_ : {"max_epochs", "early_stopping", "callback", "interrupted", "diverged"}
        Reason for the end of the training. After the last two, the weights of the best epoch so far were kept, with a
        warning.

    held_out_indices_ : ndarray of int
        Positions in X of the clips that were held out.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Batch normalisation keeps the statistics of the pretraining, because those of a few alike clips are noisy and unlike
    those of a single new clip.

    The waveforms of all training clips are in memory: 128 kB a second at 32 kHz.

    A tuned embedding has seen its training clips. Leave-one-out scores of a detector behind it are therefore too good,
    and so is a threshold from them. Calibrate on clips that took no part in the tuning: fit the embedding on one part,
    and a :class:`~skaudio_ad.ThresholdedDetector` on the embeddings of another. With the pipeline inside
    ``ThresholdedDetector``, every fold tunes a backbone of its own, which is right and takes as many times as long.

    Whitening undoes a linear projection as far as this loses no dimension. Behind ``trainable="head"``, a detector with
    the cosine metric and no whitening uses what was learnt.

    References
    ----------
    .. [1] J. Deng, J. Guo, N. Xue and S. Zafeiriou, "ArcFace: additive angular margin loss for deep face
       recognition", CVPR 2019.
    .. [2] X. Zhang, R. Zhao, Y. Qiao, X. Wang and H. Li, "AdaCos: adaptively scaling cosine logits for effectively
       learning deep face representations", CVPR 2019.
    .. [3] T. Chen, S. Kornblith, M. Norouzi and G. Hinton, "A simple framework for contrastive learning of visual
       representations", ICML 2020.
    .. [4] E. J. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import FineTunedEmbedding, MobileNetEmbedding
    >>> rng = np.random.default_rng(0)
    >>> clips = rng.normal(scale=0.1, size=(6, 16000))  # half a second at 32 kHz
    >>> machines = ["fan", "fan", "fan", "pump", "pump", "pump"]
    >>> tuned = FineTunedEmbedding(MobileNetEmbedding("mini"), max_epochs=1, random_state=0)
    >>> tuned.fit(clips, machines).transform(clips).shape
    (6, 384)
    """

    # In a composed estimator that routes metadata, groups are not requested by default.
    __metadata_request__fit = {"groups": False}

    classes_: npt.NDArray[Any]
    embedding_: BackboneEmbedding
    tuned_weights_: dict[str, np.ndarray]
    weights_digest_: str | None
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    n_iter_: int
    best_epoch_: int
    stopped_by_: str
    held_out_indices_: IntArray

    def __init__(
        self,
        embedding: BackboneEmbedding,
        *,
        objective: Literal["softmax", "arcface", "adacos", "self"] = "softmax",
        trainable: Literal["all", "head", "lora"] | int = 2,
        output: Literal["auto", "embedding", "projection"] = "auto",
        projection_size: int | None = None,
        rank: int = 8,
        alpha: float = 16.0,
        margin: float = 0.5,
        scale: float = 64.0,
        temperature: float = 0.1,
        patchout: tuple[int, int] = (0, 0),
        augmenter: Any = None,
        mixup_alpha: float = 0.0,
        window: float = 2.0,
        windows_per_clip: 'int | Literal["auto"]' = "auto",
        max_epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        backbone_learning_rate: float = 1e-4,
        weight_decay: float = 0.0,
        early_stopping: "Literal['patience', 'prechelt'] | Patience | Prechelt | None" = "patience",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        validation_fraction: float = 0.1,
        checkpoint: PathLike | None = None,
        device: str | None = None,
        deterministic: bool = False,
        random_state: RandomState = None,
    ) -> None:
        self.embedding = embedding
        self.objective = objective
        self.trainable = trainable
        self.output = output
        self.projection_size = projection_size
        self.rank = rank
        self.alpha = alpha
        self.margin = margin
        self.scale = scale
        self.temperature = temperature
        self.patchout = patchout
        self.augmenter = augmenter
        self.mixup_alpha = mixup_alpha
        self.window = window
        self.windows_per_clip = windows_per_clip
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.backbone_learning_rate = backbone_learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.device = device
        self.deterministic = deterministic
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: Clips, y: Any = None, groups: npt.ArrayLike | None = None) -> Self:
        """Tune the backbone.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Normal clips, at the sample rate of the backbone. Files are resampled to it. Clips that could not be read
            are left out with a warning.
        y : array-like of shape (n_clips,)
            Labels that tell normal clips apart, of any type. If all labels are 1 and -1, they are those of normal and
            anomalous clips: clips with -1 are left out with a warning, and 1 is no class. "self" uses no other labels.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip. Whole groups are held out.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, labels are missing or have one class, there are too few clips, or the
            training diverges in its first epoch.
        WeightsError
            If the weights cannot be found, downloaded or read.
        """
        embedding, recipe = check_parameters(self, X)
        stopping = make_stopping(self.early_stopping, n_iter_no_change=self.n_iter_no_change, tol=self.tol)
        device = resolve_device(embedding.device)
        clips = as_clips(self, X, sample_rate=embedding._rate(), reset=True)
        labels = check_labels(y, len(clips), self.objective)
        base = embedding._engine()
        family, backbone = embedding._its_family(), embedding._backbone()
        loss = TuningLoss(
            self.objective,
            family.build_front_end(backbone).eval().to(device),
            device,
            augmenter=self.augmenter,
            sample_rate=embedding._rate(),
            mixup_alpha=self.mixup_alpha,
            temperature=self.temperature,
        )
        waveforms, positions, labels = training_clips(clips, labels)
        change = embedding._prepare()
        if change is not None:
            waveforms = [change(waveform) for waveform in waveforms]
        length, _ = family.window_lengths(backbone, self.window)
        if self.objective == "self":
            self.classes_, numbers = np.empty(0), np.zeros(len(waveforms), dtype=int)
            if len(waveforms) < 2:
                raise ValueError(
                    'objective="self" tells clips apart and needs at least 2 clips, got n_samples=1. Pass more, or cut '
                    "a long recording into several clips."
                )
        else:
            assert labels is not None
            self.classes_, numbers = number_classes(labels)
        if groups is not None:
            groups = np.asarray(groups)
            if len(groups) == len(clips):  # otherwise the check of the groups raises
                groups = groups[positions]
        self.embedding_, self._recipe = embedding, recipe
        self.weights_digest_ = base.digest
        self._forget_module()

        def prepare(seed):
            import torch

            train, held_out = hold_out(numbers, self.validation_fraction, seed, groups)
            self.held_out_indices_ = positions[held_out]
            bank = WindowBank(waveforms, numbers, length, embedding._shortest())
            loss.bank = bank
            per_clip = self.windows_per_clip
            if per_clip == "auto":
                per_clip = -(-_FEWEST_WINDOWS // len(train))
            tables = [bank.table(train, per_clip), bank.table(held_out)]
            rows = np.arange(sum(map(len, tables)))
            return TrainingRows(
                torch.from_numpy(np.concatenate(tables)).to(device),
                self.batch_size,
                rows[: len(tables[0])],
                rows[len(tables[0]) :],
                learning_rates=self._learning_rate_of,
                evaluation_batch_size=self.batch_size,
            )

        train_estimator(
            self,
            X,
            y,
            device=device,
            prepare=prepare,
            loss=loss,
            attributes=_fitted_attributes,
            stopping=stopping,
            keep_best=True,
            on_best=None if self.checkpoint is None else self._write_checkpoint,
        )
        embedding._warn()
        if self.stopped_by_ in ("diverged", "interrupted"):
            warnings.warn(
                f"FineTunedEmbedding: the training {_ENDS[self.stopped_by_]} after {self.n_iter_} complete epochs. The "
                f"weights of epoch {self.best_epoch_}, the best one, are kept.",
                stacklevel=users_level(),
            )
        return self

    def transform(self, X: Clips) -> Any:
        """Embed every clip with the tuned backbone.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Arrays must be at the sample rate of the backbone. Files are resampled to it.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_channels, ...), float32
            As of `embedding`, or (n_clips, projection_size). Clips that could not be read are NaN.
        """
        clips, embeddings = self._embed(X)
        if self.embedding_.verbose:
            embeddings = with_progress(embeddings, len(clips))
        return gather(embeddings, len(clips), clips)

    def stream(self, X: Clips) -> Iterator[np.ndarray]:
        """Embed clips one after the other, so that memory need not hold all embeddings.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths

        Returns
        -------
        iterator of ndarray
            The rows of :meth:`transform`, in the same order.
        """
        return self._embed(X)[1]

    def load_checkpoint(self, path: PathLike) -> Self:
        """Take the best weights that a fit with `checkpoint` has written, as if that fit had ended then.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        self : object

        Raises
        ------
        WeightsError
            If the file is missing or damaged, or was written with another backbone or other parameters.
        """
        embedding, recipe = check_parameters(self)
        base = embedding._engine()
        weights, facts = read_checkpoint(path)
        own = {"recipe": recipe, "objective": self.objective, "weights": base.digest}
        for name, value in own.items():
            if _plain(value) != facts.get(name):
                raise WeightsError(
                    f"{os.fspath(path)}: was written with {name} {facts.get(name)}, but this estimator has "
                    f"{_plain(value)}. Set the parameters of the fit that wrote it."
                )
        self.embedding_, self._recipe, self.weights_digest_ = embedding, recipe, base.digest
        self.tuned_weights_ = weights
        self.classes_ = np.array(facts["classes"])
        self.held_out_indices_ = np.array(facts["held_out_indices"], dtype=int)
        for name in ("loss_curve", "validation_loss_curve", "n_iter", "best_epoch"):
            setattr(self, f"{name}_", facts[name])
        self.stopped_by_ = "interrupted"
        return self

    def describe(self, *, depth: int | None = 2) -> "NetworkDescription":
        """Count parameters and operations of the backbone, for one window of `embedding`; no weights are loaded.

        Parameters
        ----------
        depth : int or None, default=2
            As for :func:`skaudio_ad.networks.describe`.

        Returns
        -------
        NetworkDescription
            Print it for a table.
        """
        return self.embedding.describe(depth=depth)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the columns of `transform`, or of the channels where the output keeps time.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        if not self._projects():
            return self.embedding_.get_feature_names_out()
        name = self.embedding_._backbone().name
        size = self._recipe["projection_size"]
        return np.array([f"{name}_{PROJECTION}{i}" for i in range(size)], dtype=object)

    def frames_to_seconds(self, frames: npt.ArrayLike) -> np.ndarray:
        """Time of the middle of a frame of an output that keeps time, as :meth:`BackboneEmbedding.frames_to_seconds`.

        Parameters
        ----------
        frames : array-like of float

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        return self.embedding.frames_to_seconds(frames)

    @property
    def n_edge_frames(self) -> int:
        """Number of frames at either end of a clip that reach beyond the clip: 0."""
        return 0

    def _learning_rate_of(self, name):
        is_pretrained = name.startswith("network.") and ".parametrizations." not in name
        return self.backbone_learning_rate if is_pretrained else self.learning_rate

    def _make_module(self):
        import torch

        from ..networks import make_head

        module = build_tuned(self.embedding_._engine(), self._recipe)
        module.head = make_head(
            self.objective, module.embedding_size, len(self.classes_), margin=self.margin, scale=self.scale
        )
        # A CPU trains convolutions with the channels last in memory a third faster.
        return module.to(memory_format=torch.channels_last)

    def _forget_module(self):
        """Remove the weights of an earlier fit."""
        self.__dict__.pop("tuned_weights_", None)

    def _write_checkpoint(self, module, history):
        facts = {name.rstrip("_"): value for name, value in _fitted_attributes(module, history).items()}
        weights = facts.pop("tuned_weights")
        facts |= {
            "recipe": self._recipe,
            "objective": self.objective,
            "weights": self.weights_digest_,
            "classes": self.classes_.tolist(),
            "held_out_indices": self.held_out_indices_.tolist(),
        }
        assert self.checkpoint is not None
        write_checkpoint(self.checkpoint, weights, facts)

    def _projects(self):
        return self.output == "projection" or (self.output == "auto" and self._recipe["trainable"] == "head")

    def _embed(self, X) -> tuple[AudioClips, Iterator[np.ndarray]]:
        check_is_fitted(self)
        embedding = self.embedding_
        clips = as_clips(self, X, sample_rate=embedding._rate(), reset=False)
        base = embedding._engine()
        if base.digest != self.weights_digest_:
            raise WeightsError(
                f"{base.source}: has other weights (sha256 {base.digest}) than in fit ({self.weights_digest_}); the "
                "tuned layers belong to those. Put the old weights back, or fit again."
            )
        plan = embedding._check("clip" if self._projects() else embedding.output)
        if self._projects():
            plan = replace(plan, outputs=(PROJECTION,))
        engine = TunedEngine(base, self._recipe, self.tuned_weights_)
        settings = {"memory": embedding.memory, "cache_by": embedding.cache_by, "n_jobs": embedding.n_jobs}
        return clips, embed_clips(clips, engine, plan, **settings)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "tuned_weights_")

    def __getstate__(self) -> dict[str, Any]:
        # Paths become strings, because skops loads strings again and refuses paths.
        state = super().__getstate__()
        return {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value
            for name, value in state.items()
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.required = self.objective != "self"
        tags.transformer_tags.preserves_dtype = []
        return tags


# Ends of a training that are no success, as the warning says them.
_ENDS = {"diverged": "diverged", "interrupted": "was interrupted"}


def _fitted_attributes(module, history):
    """Fitted attributes after the training or after one of the epochs."""
    return {
        "tuned_weights_": {
            name: value.cpu().numpy().copy() for name, value in module.trained_weights().items()
        },
        "loss_curve_": list(history.loss_curve),
        "validation_loss_curve_": list(history.validation_loss_curve),
        "n_iter_": len(history.loss_curve),
        "best_epoch_": history.best_epoch,
    }


def _plain(value):
    """A value as JSON has it: tuples become lists."""
    return (
        {name: _plain(each) for name, each in value.items()}
        if isinstance(value, dict)
        else (list(value) if isinstance(value, tuple) else value)
    )
