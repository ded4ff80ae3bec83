"""`helios features`: the catalogue of tier 1."""

import typer

from helios_core.cli.session import JsonOption, print_json, print_table

app = typer.Typer(help="Features: list, documentation, kernels.", no_args_is_help=True)


@app.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Print the 90 features of the catalogue and which of them are computed."""
    from dataclasses import asdict

    from helios_core.market.catalogue import CATALOGUE, FEATURE_SET

    rows = [asdict(spec) for spec in CATALOGUE]
    if as_json:
        print_json({"feature_set": FEATURE_SET, "features": rows})
    else:
        print_table(f"feature set {FEATURE_SET[:12]}", tuple(rows[0]), [r.values() for r in rows])


@app.command()
def warm() -> None:
    """Compile the kernels of features and labels, which is kept on disk; about half a minute."""
    from datetime import UTC, datetime
    from time import perf_counter

    from helios_core.market.compute import compute_features
    from helios_core.market.stream import FeatureStream
    from helios_core.network.config import LabelConfig
    from helios_core.network.labels import triple_barrier
    from helios_core.simulator.generator import generate

    typer.echo("compiling the kernels; once, then they come from disk ... ", nl=False)
    began = perf_counter()
    candles = generate("SIMBTCUSDT", datetime(2025, 1, 1, tzinfo=UTC), 300, 1, 60_000.0)
    compute_features(candles)
    FeatureStream("SIMBTCUSDT").update(candles["open_time"][0], candles.row(0)[3:])
    triple_barrier(candles, LabelConfig())
    typer.echo(f"ready after {perf_counter() - began:.1f} s")


@app.command()
def doc() -> None:
    """Print docs/features.md, generated from the catalogue."""
    from helios_core.market.catalogue import render_markdown

    typer.echo(render_markdown(), nl=False)
