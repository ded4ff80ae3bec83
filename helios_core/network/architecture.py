"""HeliosNet: three windows of one feature vector through one small pre-norm transformer.

B is the batch, F the features, L the bars of a window, N all tokens, C the model width, H heads.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as fn
from torch import Tensor, nn

from helios_core.network.config import NetworkConfig
from helios_core.network.windows import offsets

OUTPUTS = 6  # hit, direction, log sigma, three classes
CONTEXT = 3  # see `samples.barrier_context`


@dataclass(frozen=True, slots=True)
class Heads:
    """What the network answers for a batch, before calibration."""

    hit: Tensor  # (B,) logit that a barrier is met
    direction: Tensor  # (B,) logit that it is the upper one, given a hit
    log_sigma: Tensor  # (B,) log of horizon volatility over the known volatility
    classes: Tensor  # (B, 3) logits of SELL, HOLD, BUY


class RootMeanSquareNorm(nn.Module):
    """Divide by the root mean square (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x with unit root mean square over the last axis, times a learned gain."""
        return fn.rms_norm(x, self.weight.shape, self.weight, 1e-6)  # (B, N, C)


class Attention(nn.Module):
    """Full multi-head self-attention; the past is all there is in a window, so no mask."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mix of all tokens for each token."""
        batch, tokens, width = x.shape  # (B, N, C)
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 x (B, H, N, C/H)
        share = self.dropout if self.training else 0.0
        mixed = fn.scaled_dot_product_attention(q, k, v, dropout_p=share)  # (B, H, N, C/H)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return out  # (B, N, C)


class SwiGlu(nn.Module):
    """Gated feed-forward layer (Shazeer 2020, "GLU Variants Improve Transformer")."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``down(silu(gate(x)) * up(x))``."""
        out: Tensor = self.down(fn.silu(self.gate(x)) * self.up(x))
        return out  # (B, N, C)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each a residual that a sample may skip in training."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        shape = config.shape
        self.norm_attention = RootMeanSquareNorm(shape.d_model)
        self.attention = Attention(shape.d_model, shape.heads, config.dropout)
        self.norm_feed = RootMeanSquareNorm(shape.d_model)
        self.feed = SwiGlu(shape.d_model, shape.ff)
        self.dropout = nn.Dropout(config.dropout)
        self.drop_path = config.drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Return x after both residual branches."""
        x = x + self._keep(self.dropout(self.attention(self.norm_attention(x))))  # (B, N, C)
        return x + self._keep(self.dropout(self.feed(self.norm_feed(x))))  # (B, N, C)

    def _keep(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0.0:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop_path  # (B, 1, 1)
        return branch * kept / (1.0 - self.drop_path)


class PatchEmbedding(nn.Module):
    """Turn every `patch` bars of a window into one token; missing values have their own map."""

    def __init__(self, features: int, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.value = nn.Linear(features * patch, width)
        self.missing = nn.Linear(features, width, bias=False)

    def forward(self, window: Tensor) -> Tensor:
        """Embed a window (B, L, F) whose missing values are NaN."""
        batch, bars, features = window.shape  # (B, L, F)
        absent = torch.isnan(window)  # (B, L, F)
        known = window.masked_fill(absent, 0.0)  # (B, L, F)
        patches = known.reshape(batch, bars // self.patch, self.patch * features)
        share = absent.view(batch, -1, self.patch, features).to(window.dtype).mean(2)  # (B, P, F)
        token: Tensor = self.value(patches) + self.missing(share)
        return token  # (B, P, C)


class HeliosNet(nn.Module):
    """The network of tier 2; the same class holds 0.1 M and 40 M parameters."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        shape = config.shape
        width = shape.d_model
        self.embed = nn.ModuleList(
            PatchEmbedding(config.features, patch, width) for patch in shape.patches
        )
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, shape.tokens, width))
        self.pair = nn.Embedding(config.max_pairs, width)
        self.context = nn.Linear(CONTEXT, width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(shape.depth))
        self.norm = RootMeanSquareNorm(width)
        self.neck = nn.Linear(width, width)
        self.head = nn.Linear(width, OUTPUTS)
        self._initialize()

    def forward(self, windows: tuple[Tensor, ...], pair: Tensor, context: Tensor) -> Heads:
        """Answer for a batch.

        Parameters
        ----------
        windows : tuple of (B, L, F)
            One per stride, oldest bar first, scaled, NaN where missing.
        pair : (B,) int64
            Row of the pair embedding; 0 for a pair that was not trained on.
        context : (B, 3)
            Scaled volatility and barrier distances. Features are normalized by volatility, so
            without them the network could not tell how far away the barriers are.
        """
        if self.training:
            windows, pair = self._drop_feeds(windows, pair)
        parts = [embed(window) for embed, window in zip(self.embed, windows, strict=True)]
        named = self.pair(pair) + self.context(context)  # (B, C)
        head = (self.cls + named.unsqueeze(1)).to(parts[0].dtype)  # (B, 1, C)
        x = torch.cat([head, *parts], dim=1) + self.position  # (B, N, C)
        for block in self.blocks:
            x = block(x)  # (B, N, C)
        answer = self.head(fn.silu(self.neck(self.norm(x[:, 0])))).float()  # (B, 6)
        return Heads(answer[:, 0], answer[:, 1], answer[:, 2], answer[:, 3:])

    def _drop_feeds(
        self, windows: tuple[Tensor, ...], pair: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Hide whole feeds, and the pair, from some samples, so that neither is leaned on."""
        features, device = self.config.features, pair.device
        hidden = torch.zeros(len(pair), features, dtype=torch.bool, device=device)  # (B, F)
        for start, stop in self.config.feeds:
            lost = torch.rand(len(pair), 1, device=device) < self.config.drop_feed  # (B, 1)
            hidden[:, start:stop] |= lost
        unnamed = torch.rand(len(pair), device=device) < self.config.drop_feed  # (B,)
        masked = tuple(window.masked_fill(hidden.unsqueeze(1), math.nan) for window in windows)
        return masked, pair.masked_fill(unnamed, 0)

    def _initialize(self) -> None:
        depth = self.config.shape.depth
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue  # gains stay 1; linear biases are set below
            residual = name.endswith(("attention.out.weight", "feed.down.weight"))
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth) if residual else 0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use `count` CPU threads inside the block; put the old number back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def parameter_count(net: nn.Module) -> int:
    """Return how many numbers the network learns."""
    return sum(parameter.numel() for parameter in net.parameters())


def window_offsets(config: NetworkConfig, device: torch.device) -> tuple[Tensor, ...]:
    """Return `windows.offsets` as int64 tensors of shape (L,) on `device`."""
    return tuple(torch.from_numpy(rows).to(device) for rows in offsets(config.shape))


def read_windows(
    block: Tensor, rows: Tensor, window_rows: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return the windows that end at `rows` (B,) of the shared `block` (G, F)."""
    return tuple(
        block[rows.unsqueeze(1) + offset].float()  # (B, L, F)
        for offset in window_rows
    )
