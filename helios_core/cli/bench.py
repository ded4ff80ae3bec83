"""`helios bench NAME`: timings against a named peer, both sides in one run."""

from typing import Annotated

import typer

from helios_core.cli.session import JsonOption, open_session


def bench(
    name: Annotated[str, typer.Argument(help="which bench, for example store")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Time Helios against a named peer on the same work and check that both agree."""
    from helios_core.bench.frame import print_report, require_bench, run_bench
    from helios_core.bootstrap import bench_context

    session = open_session()
    require_bench(name)  # a misspelt name starts no database
    report = run_bench(name, bench_context(session.settings))
    if as_json:
        typer.echo(report.to_json())
    else:
        print_report(report)
