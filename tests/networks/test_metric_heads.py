"""The heads of metric learning and the contrastive loss against slow NumPy references."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from skaudio_ad.networks import AdaCosHead, ArcFaceHead, SoftmaxHead, make_head, nt_xent
from skaudio_ad.training import drawing_from

N, SIZE, CLASSES = 7, 5, 4


def data(n_classes=CLASSES, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(N, SIZE))), torch.from_numpy(rng.integers(n_classes, size=N))


def head_of(kind, *size, **settings):
    with drawing_from(3):
        return kind(*size, **settings).double()


def angles(head, embeddings):
    w, x = head.weight.detach().numpy(), embeddings.numpy()
    made = np.empty((len(x), len(w)))
    for i in range(len(x)):
        for k in range(len(w)):
            made[i, k] = np.arccos(x[i] @ w[k] / np.linalg.norm(x[i]) / np.linalg.norm(w[k]))
    return made


def cross_entropy(logits, labels):
    return np.mean([np.log(np.exp(row - row[y]).sum()) for row, y in zip(logits, labels)])


def assert_loss(head, embeddings, labels, expected):
    loss = functional.cross_entropy(head(embeddings, labels), labels)
    assert loss.item() == pytest.approx(cross_entropy(expected, labels.numpy()), rel=1e-6)
    loss.backward()
    assert torch.isfinite(head.weight.grad).all()
    assert head.weight.grad.abs().sum() > 0


def test_the_softmax_head_is_a_linear_classifier():
    embeddings, labels = data()
    head = head_of(SoftmaxHead, SIZE, CLASSES)
    expected = embeddings.numpy() @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert_loss(head, embeddings, labels, expected)


@pytest.mark.parametrize(("margin", "scale"), [(0.5, 64.0), (1.2, 7.0)])
def test_arcface_adds_the_margin_to_the_true_angle(margin, scale):
    embeddings, labels = data()
    head = head_of(ArcFaceHead, SIZE, CLASSES, margin=margin, scale=scale)
    embeddings[0] = -head.weight.detach()[labels[0]] + 0.1  # an angle near pi, where the margin goes beyond
    theta, expected = angles(head, embeddings), np.empty((N, CLASSES))
    for i in range(N):
        for k in range(CLASSES):
            expected[i, k] = np.cos(theta[i, k])
            if k == labels[i]:
                inside = theta[i, k] + margin < np.pi
                expected[i, k] = (
                    np.cos(theta[i, k] + margin) if inside else expected[i, k] - margin * np.sin(margin)
                )
    assert theta[0, labels[0]] + margin > np.pi
    assert_loss(head, embeddings, labels, scale * expected)
    np.testing.assert_allclose(head(embeddings).detach(), scale * np.cos(theta), rtol=1e-6)


def test_arcface_has_finite_gradients_for_an_embedding_on_its_class():
    head = head_of(ArcFaceHead, SIZE, CLASSES)
    embeddings = head.weight.detach().clone().requires_grad_()
    functional.cross_entropy(head(embeddings, torch.arange(CLASSES)), torch.arange(CLASSES)).backward()
    assert torch.isfinite(embeddings.grad).all()


def test_the_scale_of_adacos_follows_the_equations_of_its_paper():
    head = head_of(AdaCosHead, SIZE, CLASSES)
    scale = np.sqrt(2) * np.log(CLASSES - 1)
    assert head.scale.item() == pytest.approx(scale, rel=1e-6)
    for seed in range(3):
        embeddings, labels = data(seed=seed)
        theta = angles(head, embeddings)
        wrong = np.mean(
            [
                sum(np.exp(scale * np.cos(theta[i, k])) for k in range(CLASSES) if k != labels[i])
                for i in range(N)
            ]
        )
        median = np.median([theta[i, labels[i]] for i in range(N)])
        scale = np.log(wrong) / np.cos(min(np.pi / 4, median))
        assert_loss(head, embeddings, labels, scale * np.cos(theta))
        assert head.scale.item() == pytest.approx(scale, rel=1e-6)


def test_adacos_has_the_first_scale_in_evaluation_mode():
    head, (embeddings, labels) = head_of(AdaCosHead, SIZE, CLASSES), data()
    head(embeddings, labels)
    head.eval()
    changed = head.scale.item()
    expected = np.sqrt(2) * np.log(CLASSES - 1) * np.cos(angles(head, embeddings))
    np.testing.assert_allclose(head(embeddings, labels).detach(), expected, rtol=1e-6)
    assert head.scale.item() == changed


def test_the_scale_of_adacos_stays_positive_for_two_classes():
    head, (embeddings, labels) = head_of(AdaCosHead, SIZE, 2), data(2)
    for _ in range(3):
        head(embeddings, labels)
        assert head.scale.item() >= np.sqrt(2) * np.log(2) * (1 - 1e-6)


def test_nt_xent_is_the_loss_of_its_paper_without_other_rows_of_a_clip():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, SIZE))
    clips = np.array([0, 1, 1, 2])
    views, of_clip = np.concatenate([first, second]), np.concatenate([clips, clips])
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    losses = []
    for i in range(8):
        partner = (i + 4) % 8
        others = [k for k in range(8) if of_clip[k] != of_clip[i]]
        terms = [np.exp(views[i] @ views[k] / 0.3) for k in (partner, *others)]
        losses.append(-np.log(terms[0] / sum(terms)))
    loss = nt_xent(torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(clips), 0.3)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize(
    ("objective", "kind"),
    [("softmax", SoftmaxHead), ("arcface", ArcFaceHead), ("adacos", AdaCosHead), ("self", torch.nn.Identity)],
)
def test_an_objective_has_its_head(objective, kind):
    assert type(make_head(objective, SIZE, CLASSES, margin=0.3, scale=9.0)) is kind
