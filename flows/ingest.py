"""Market data into the store."""

from prefect import flow

from flows.jobs import notebook
from helios_core.domain.runs import Json


@flow(name="ingest", retries=0)
def ingest(
    pairs: list[str] | None = None,
    source: str | None = None,
    file: str | None = None,
    timeframe: str | None = None,
    time: str | None = None,
    tz: str | None = None,
) -> Json:
    """Import a file, fetch public candles or generate a market; running it again adds nothing.

    Parameters
    ----------
    pairs : list of str, optional
        Exchange symbols, for example BTCZAR.
    source : str, optional
        Where candles come from: file, valr or simulated.
    file : str, optional
        Path of a CSV, Parquet or Feather file.
    timeframe, time, tz : str, optional
        Layout of the file: length of a bar, open or close, time zone.
    """
    given = {"pairs": pairs, "source": source, "file": file}
    layout = {"timeframe": timeframe, "time": time, "tz": tz}
    return {"11_ingest": notebook("11_ingest", given | layout)}
