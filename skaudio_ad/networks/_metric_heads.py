"""Losses on embeddings: classifiers with angular margins, and the contrastive loss of two views."""

import math

import torch
from torch import nn
from torch.nn import functional

# Minimum of the scale of AdaCos: its first value for three classes. The formula gives 0 for two classes.
_SMALLEST_SCALE = math.sqrt(2) * math.log(2)
# Distance of a cosine from -1 and 1, because the derivative of the arc cosine is infinite there.
_MARGIN_OF_COSINE = 1e-7


class SoftmaxHead(nn.Linear):
    """Linear classifier: the logits of a softmax.

    Parameters
    ----------
    n_features, n_classes : int
    """

    def __init__(self, n_features: int, n_classes: int):
        super().__init__(n_features, n_classes)

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the logits, (n_clips, n_classes), of embeddings, (n_clips, n_features). `labels` are ignored."""
        return super().forward(embeddings)


class _CosineHead(nn.Module):
    """Classifier by the angles between an embedding and one direction for every class."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_classes, n_features))
        nn.init.xavier_uniform_(self.weight)

    def cosines(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Cosines, (n_clips, n_classes), between embeddings and the directions of the classes."""
        return functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))


class ArcFaceHead(_CosineHead):
    """Additive angular margin [1]_: the logits are ``scale * cos(angle)``, with the margin added to the true angle.

    Where the sum of angle and margin exceeds pi, the logit of the true class is
    ``scale * (cos(angle) - margin * sin(margin))``, so that it falls with the angle everywhere.

    Parameters
    ----------
    n_features, n_classes : int
    margin : float, default=0.5
        In radians. Both defaults are those of the paper.
    scale : float, default=64.0

    References
    ----------
    .. [1] J. Deng, J. Guo, N. Xue and S. Zafeiriou, "ArcFace: additive angular margin loss for deep face
       recognition", CVPR 2019.
    """

    def __init__(self, n_features: int, n_classes: int, *, margin: float = 0.5, scale: float = 64.0):
        super().__init__(n_features, n_classes)
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the logits, (n_clips, n_classes). Without `labels`, (n_clips,), there is no margin."""
        cosines = self.cosines(embeddings)
        if labels is None:
            return self.scale * cosines
        true = cosines.gather(1, labels[:, None])
        inside = true.clamp(-1 + _MARGIN_OF_COSINE, 1 - _MARGIN_OF_COSINE)
        sines = (1 - inside.square()).sqrt()
        moved = inside * math.cos(self.margin) - sines * math.sin(self.margin)
        beyond = true - self.margin * math.sin(self.margin)
        moved = torch.where(true > math.cos(math.pi - self.margin), moved, beyond)
        return self.scale * cosines.scatter(1, labels[:, None], moved)


class AdaCosHead(_CosineHead):
    """Cosine logits with a scale that follows from the batch, so that no parameter needs a choice [1]_.

    In training mode the scale is ``log(B) / cos(min(pi / 4, median))``: B is the mean over the batch of the sum of
    ``exp(scale * cosine)`` over the wrong classes, with the scale before, and the median is that of the angles to the
    true classes. In evaluation mode the scale is the first one, ``sqrt(2) * log(n_classes - 1)``, so that losses of
    different epochs compare. A scale is never below ``sqrt(2) * log(2)``, because the formula gives 0 for two classes,
    and may become negative for few.

    Parameters
    ----------
    n_features, n_classes : int

    References
    ----------
    .. [1] X. Zhang, R. Zhao, Y. Qiao, X. Wang and H. Li, "AdaCos: adaptively scaling cosine logits for effectively
       learning deep face representations", CVPR 2019.
    """

    scale: torch.Tensor

    def __init__(self, n_features: int, n_classes: int):
        super().__init__(n_features, n_classes)
        self.first_scale = max(_SMALLEST_SCALE, math.sqrt(2) * math.log(max(1, n_classes - 1)))
        self.register_buffer("scale", torch.tensor(self.first_scale))

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the logits, (n_clips, n_classes). In training mode with `labels`, (n_clips,), the scale changes."""
        cosines = self.cosines(embeddings)
        if labels is None or not self.training:
            return self.first_scale * cosines
        with torch.no_grad():
            true = cosines.gather(1, labels[:, None])[:, 0].clamp(-1, 1)
            wrong = (self.scale * cosines).exp().scatter(1, labels[:, None], 0.0)
            median = torch.quantile(true.acos(), 0.5).clamp(max=math.pi / 4)
            self.scale.copy_((wrong.sum(1).mean().log() / median.cos()).clamp(min=_SMALLEST_SCALE))
        return self.scale * cosines


def nt_xent(
    first: torch.Tensor, second: torch.Tensor, clips: torch.Tensor, temperature: float = 0.1
) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy of two views of every clip (NT-Xent) [1]_.

    Every view must find the other view of its row among the views of other clips. Other rows of the same clip are no
    negatives: they are left out.

    Parameters
    ----------
    first, second : torch.Tensor of shape (n_rows, n_features)
        Embeddings of the two views.
    clips : torch.Tensor of shape (n_rows,), int
        Clip of every row.
    temperature : float, default=0.1
        The best value of the paper's table 5.

    Returns
    -------
    torch.Tensor
        Mean over the 2 n_rows views, a scalar.

    References
    ----------
    .. [1] T. Chen, S. Kornblith, M. Norouzi and G. Hinton, "A simple framework for contrastive learning of visual
       representations", ICML 2020.
    """
    n_rows = len(first)
    views = functional.normalize(torch.cat([first, second]))
    similarities = views @ views.T / temperature
    partners = torch.arange(2 * n_rows, device=first.device).roll(n_rows)
    of_clip = torch.cat([clips, clips])
    left_out = of_clip[:, None] == of_clip[None]
    left_out[torch.arange(2 * n_rows, device=first.device), partners] = False
    return functional.cross_entropy(similarities.masked_fill(left_out, -math.inf), partners)
