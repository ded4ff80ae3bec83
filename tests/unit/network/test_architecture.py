import math

import numpy as np
import pytest
import torch

from helios_core.network.architecture import (
    Attention,
    HeliosNet,
    parameter_count,
    read_windows,
    window_offsets,
)
from helios_core.network.config import NetworkConfig
from helios_core.network.windows import offsets


@pytest.fixture
def small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HeliosNet(NetworkConfig())


def question(config, batch=3, seed=0):
    made = torch.Generator().manual_seed(seed)
    windows = tuple(
        torch.randn(batch, bars, config.features, generator=made) for bars in config.shape.windows
    )
    return windows, torch.arange(batch), torch.randn(batch, 3, generator=made)


def test_the_production_network_has_forty_million_parameters_and_answers():
    config = NetworkConfig(size="production")
    net = HeliosNet(config).eval()
    with torch.inference_mode():
        heads = net(*question(config, batch=1))

    assert 39e6 < parameter_count(net) < 41e6
    assert heads.classes.shape == (1, 3)


def test_the_small_network_is_small(small):
    assert 60_000 < parameter_count(small) < 300_000


def test_heads_have_the_shapes_they_promise(small):
    heads = small(*question(small.config))

    assert (heads.hit.shape, heads.direction.shape, heads.log_sigma.shape) == ((3,),) * 3
    assert heads.classes.shape == (3, 3)


def test_answers_of_a_sample_do_not_depend_on_its_neighbors_in_the_batch(small):
    small.eval()
    windows, pair, context = question(small.config, batch=5)
    whole = small(windows, pair, context)
    alone = small(tuple(w[2:3] for w in windows), pair[2:3], context[2:3])

    assert alone.hit.item() == pytest.approx(whole.hit[2].item(), abs=1e-6)


def test_a_missing_value_is_not_a_zero(small):
    small.eval()
    windows, pair, context = question(small.config)
    gone = tuple(w.clone() for w in windows)
    zero = tuple(w.clone() for w in windows)
    for w, z in zip(gone, zero, strict=True):
        w[..., 67:78], z[..., 67:78] = math.nan, 0.0
    missing, zeroed = small(gone, pair, context), small(zero, pair, context)

    assert torch.isfinite(missing.hit).all()
    assert not torch.allclose(missing.hit, zeroed.hit, atol=1e-6)


def test_attention_agrees_with_the_formula():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = Attention(8, 2, 0.0).eval()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(2))
    qkv = (x[0] @ layer.qkv.weight.T).view(5, 3, 2, 4)
    mixed = []
    for h in range(2):
        q, k, v = (qkv[:, i, h] for i in range(3))
        mixed.append(torch.softmax(q @ k.T / 2.0, dim=-1) @ v)
    expected = torch.cat(mixed, dim=1) @ layer.out.weight.T

    assert torch.allclose(layer(x)[0], expected, atol=1e-6)


def test_dropping_feeds_hides_whole_feeds_and_pairs_in_training_only():
    config = NetworkConfig(drop_feed=0.5, dropout=0.0, drop_path=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = HeliosNet(config)
        windows, pair, _ = question(config, batch=400)
        hidden, renamed = net._drop_feeds(windows, pair + 1)
    lost = torch.isnan(hidden[0])

    for start, stop in config.feeds:
        assert (lost[:, :, start:stop].float().mean((1, 2)) % 1 == 0).all()
        assert lost[:, 0, start].float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert not lost[..., :67].any()
    assert (renamed == 0).float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_windows_read_from_the_block_are_the_rows_counted_back_one_by_one():
    config = NetworkConfig()
    block = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    rows = np.array([465, 700, 999])
    read = read_windows(
        torch.from_numpy(block),
        torch.from_numpy(rows),
        window_offsets(config, torch.device("cpu")),
    )
    for window, reach in zip(read, offsets(config.shape), strict=True):
        for i, row in enumerate(rows):
            expected = np.stack([block[row + o] for o in reach])

            assert np.array_equal(window[i].numpy(), expected)
