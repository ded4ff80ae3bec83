import numpy as np
import pytest
import torch

from helios_core.network.architecture import Heads
from helios_core.network.fitting import Batches, Prior, repeatable, served_loss, training_loss
from helios_core.network.metrics import class_losses

NO_PRIOR = Prior(0.0, 0.0, (0.0, 0.0, 0.0))


def answers(count=40, seed=0):
    made = torch.Generator().manual_seed(seed)
    hit, direction, sigma = torch.randn(3, count, generator=made)
    outcome = torch.randint(-1, 2, (count,), generator=made).float()
    return Heads(hit, direction, sigma, torch.randn(count, 3, generator=made)), outcome


def batch(outcome, weight=None):
    zero = torch.zeros(len(outcome))
    return Batches(
        block=zero, row=zero, pair=zero, outcome=outcome, z=zero + 0.5, context=zero,
        weight=torch.ones(len(outcome)) if weight is None else weight,
    )  # fmt: skip


def test_the_watched_loss_is_that_of_the_three_served_probabilities():
    heads, outcome = answers()
    p_hit, p_up = torch.sigmoid(heads.hit).numpy(), torch.sigmoid(heads.direction).numpy()
    p = np.stack([p_hit * (1 - p_up), 1 - p_hit, p_hit * p_up], axis=1)

    assert served_loss(heads, outcome).numpy() == pytest.approx(
        class_losses(outcome.numpy().astype(int), p), rel=1e-5
    )


def test_direction_learns_from_hits_only():
    heads, outcome = answers()
    heads.direction.requires_grad_(True)
    training_loss(heads, batch(outcome), NO_PRIOR).backward()
    moved = heads.direction.grad.abs() > 0

    assert (moved == (outcome != 0)).all()


def test_a_sample_without_weight_teaches_nothing():
    heads, outcome = answers()
    weight = torch.ones(40)
    weight[5] = 0.0
    heads.hit.requires_grad_(True)
    training_loss(heads, batch(outcome, weight), NO_PRIOR).backward()

    assert heads.hit.grad[5] == 0


def test_weights_that_favor_hits_do_not_move_the_answer():
    """With one logit for all samples the best one must be the plain log odds, not the weighted."""
    outcome = torch.tensor([1.0, -1.0] * 10 + [0.0] * 60)
    weight = torch.where(outcome != 0, 3.0, 1.0)
    plain, weighted = np.log(20 / 60), np.log(60 / 60)
    prior = Prior(weighted - plain, 0.0, (0.0, 0.0, 0.0))
    logit = torch.full((), float(plain), requires_grad=True)
    zero = torch.zeros(80)
    heads = Heads(logit.expand(80), zero, zero, torch.zeros(80, 3))
    training_loss(heads, batch(outcome, weight), prior).backward()

    assert logit.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_seed_and_threads_are_put_back():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    before = torch.get_num_threads()
    with repeatable(5, 1):
        first = torch.rand(3)
        inside = torch.get_num_threads()
    with repeatable(5, 1):
        second = torch.rand(3)

    assert inside == 1
    assert torch.get_num_threads() == before
    assert torch.equal(first, second)
    assert torch.equal(torch.rand(3), expected)
