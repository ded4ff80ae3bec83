"""The training loop: losses, schedule, early stop, and the seed that makes it repeatable."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as fn
from torch import Tensor

from helios_core.domain.market import FloatArray
from helios_core.errors import ModelError
from helios_core.network.architecture import (
    Heads,
    HeliosNet,
    cpu_threads,
    read_windows,
    window_offsets,
)
from helios_core.network.config import TrainConfig
from helios_core.network.samples import Samples
from helios_core.network.windows import Scaler

SIGMA_SHARE = CLASS_SHARE = 0.25  # the served heads, hit and direction, weigh 1 each
WARM_UP_SHARE = 0.02  # of all steps, rising learning rate
WATCH_BATCH = 512  # samples at a time when the validation loss is taken
Z_LIMIT = 10.0  # standard deviations at which a horizon return is cut for the sigma head


@dataclass(frozen=True, slots=True)
class Epoch:
    """Progress after one pass; losses in nats, `best` the lowest validation loss so far."""

    number: int
    of: int
    train_loss: float
    validation_loss: float
    best: float


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Tensors of one part on the device: block (G, F) shared, the rest (N,)."""

    block: Tensor
    row: Tensor
    pair: Tensor
    outcome: Tensor  # float: -1, 0, 1
    z: Tensor  # horizon return over known volatility
    context: Tensor  # (N, 3)
    weight: Tensor

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Prior:
    """Log odds that the sample weights added to each head.

    They are added to the logits in the training loss only, so that the network itself answers for
    the shares that occur (Menon et al. 2021, "Long-tail learning via logit adjustment").
    """

    hit: float
    direction: float
    classes: tuple[float, float, float]


def weighted_prior(samples: Samples, weight: FloatArray) -> Prior:
    """Return weighted minus plain log odds of the outcomes of `samples`."""
    hit, up = samples.outcome != 0, samples.outcome > 0
    named = [samples.outcome == o for o in (-1, 0, 1)]
    sell, hold, buy = (
        math.log(max(float(np.average(n, weights=weight)), 1e-4) / float(n.mean())) for n in named
    )
    return Prior(
        hit=_log_odds(np.average(hit, weights=weight)) - _log_odds(hit.mean()),
        direction=_log_odds(np.average(up[hit], weights=weight[hit])) - _log_odds(up[hit].mean()),
        classes=(sell, hold, buy),
    )


def batches(block: Tensor, samples: Samples, context_scaler: Scaler, weight: FloatArray) -> Batches:
    """Put `samples` beside `block` on its device; `weight` has shape (N,)."""
    z = samples.horizon_return / np.maximum(samples.volatility, 1e-9)
    bounded = np.clip(z, -Z_LIMIT, Z_LIMIT)
    return Batches(
        block=block,
        row=torch.from_numpy(samples.row).to(block.device),
        pair=torch.from_numpy(samples.pair).to(block.device),
        outcome=torch.from_numpy(samples.outcome.astype(np.float32)).to(block.device),
        z=torch.from_numpy(bounded.astype(np.float32)).to(block.device),
        context=torch.from_numpy(context_scaler.apply(samples.context)).to(block.device),
        weight=torch.from_numpy(weight.astype(np.float32)).to(block.device),
    )


def fit(
    net: HeliosNet,
    parts: tuple[Batches, Batches],
    prior: Prior,
    config: TrainConfig,
    progress: Callable[[Epoch], None] | None,
) -> tuple[Epoch, ...]:
    """Train `net` in place and leave it with the weights of its best validation epoch.

    Parameters
    ----------
    parts : (training part, validation part)
        Both on the device of `net`; training stops after `patience` epochs without progress.

    Raises
    ------
    ModelError
        If the validation loss was never finite.
    """
    fit_on, watch = parts
    optimizer = _optimizer(net, config)
    steps = config.epochs * math.ceil(len(fit_on) / config.batch)
    best, best_state, since = math.inf, net.state_dict(), 0
    history: list[Epoch] = []
    step = 0
    for number in range(1, config.epochs + 1):
        net.train()
        total = 0.0
        order = torch.randperm(len(fit_on))
        for start in range(0, len(fit_on), config.batch):
            part = order[start : start + config.batch]
            _set_rate(optimizer, config.learning_rate, step / steps)
            total += _step(net, optimizer, _select(fit_on, part), prior) * len(part)
            step += 1
        loss = _watch(net, watch)
        if loss < best:
            best, since = loss, 0
            best_state = {k: v.detach().clone() for k, v in net.state_dict().items()}
        else:
            since += 1
        history.append(Epoch(number, config.epochs, total / len(fit_on), loss, best))
        if progress is not None:
            progress(history[-1])
        if since >= config.patience:
            break
    if not math.isfinite(best):
        raise ModelError(
            f"the validation loss was not finite in any of {len(history)} epochs; "
            f"lower train.learning_rate (now {config.learning_rate}) or check the features"
        )
    net.load_state_dict(best_state)
    net.eval()
    return tuple(history)


@contextmanager
def repeatable(seed: int, threads: int) -> Iterator[None]:
    """Seed torch and fix its threads inside the block; put both back afterwards."""
    strict = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with cpu_threads(threads), torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(strict)


def served_loss(heads: Heads, outcome: Tensor) -> Tensor:
    """Return the log-loss of SELL, HOLD, BUY for each sample as hit and direction give it, (N,)."""
    hit = (outcome != 0).float()
    up = (outcome > 0).float()
    found = fn.binary_cross_entropy_with_logits(heads.hit, hit, reduction="none")
    sided = fn.binary_cross_entropy_with_logits(heads.direction, up, reduction="none")
    return found + hit * sided  # -log P(class)


def training_loss(heads: Heads, batch: Batches, prior: Prior) -> Tensor:
    """Return the weighted loss of all four heads; direction learns from hits only."""
    hit = (batch.outcome != 0).float()
    up = (batch.outcome > 0).float()
    found = fn.binary_cross_entropy_with_logits(heads.hit + prior.hit, hit, reduction="none")
    sided = fn.binary_cross_entropy_with_logits(
        heads.direction + prior.direction, up, reduction="none"
    )
    sigma = heads.log_sigma + 0.5 * (batch.z * torch.exp(-heads.log_sigma)) ** 2
    classes = heads.classes + heads.classes.new_tensor(prior.classes)  # (B, 3)
    named = fn.cross_entropy(classes, batch.outcome.long() + 1, reduction="none")
    every, hits = batch.weight, batch.weight * hit
    loss = (every * (found + SIGMA_SHARE * sigma + CLASS_SHARE * named)).sum() / every.sum()
    return loss + (hits * sided).sum() / hits.sum().clamp_min(1e-6)


def _step(net: HeliosNet, optimizer: torch.optim.Optimizer, batch: Batches, prior: Prior) -> float:
    heads = _answer(net, batch)
    loss = training_loss(heads, batch, prior)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _watch(net: HeliosNet, part: Batches) -> float:
    net.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(part), WATCH_BATCH):
            index = torch.arange(start, min(start + WATCH_BATCH, len(part)))
            batch = _select(part, index)
            total += float(served_loss(_answer(net, batch), batch.outcome).sum())
    return total / len(part)


def _answer(net: HeliosNet, batch: Batches) -> Heads:
    windows = read_windows(batch.block, batch.row, window_offsets(net.config, batch.row.device))
    device = batch.row.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        heads: Heads = net(windows, batch.pair, batch.context)
    return heads


def _optimizer(net: HeliosNet, config: TrainConfig) -> torch.optim.Optimizer:
    matrices = [p for p in net.parameters() if p.dim() >= 2]
    vectors = [p for p in net.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def _set_rate(optimizer: torch.optim.Optimizer, peak: float, done: float) -> None:
    if done < WARM_UP_SHARE:
        rate = peak * max(done / WARM_UP_SHARE, 0.05)
    else:
        turn = (done - WARM_UP_SHARE) / (1.0 - WARM_UP_SHARE)
        rate = peak * 0.5 * (1.0 + math.cos(math.pi * turn))
    for group in optimizer.param_groups:
        group["lr"] = rate


def _select(part: Batches, index: Tensor) -> Batches:
    at = index.to(part.row.device)
    return Batches(
        block=part.block,
        row=part.row[at],
        pair=part.pair[at],
        outcome=part.outcome[at],
        z=part.z[at],
        context=part.context[at],
        weight=part.weight[at],
    )


def _log_odds(share: float) -> float:
    p = min(max(float(share), 1e-4), 1.0 - 1e-4)
    return math.log(p / (1.0 - p))
