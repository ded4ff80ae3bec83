"""From candles to a judged model: features, training, promotion gate."""

from prefect import flow

from flows.jobs import notebook
from helios_core.domain.runs import Json


@flow(name="research", retries=0)
def research(
    pairs: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
) -> Json:
    """Compute features, train the network on them, and put the model before the gate.

    Parameters
    ----------
    pairs : list of str, optional
        Exchange symbols, for example BTCZAR.
    start, end : str, optional
        Range of the data, ISO 8601, UTC.
    epochs, seed : int, optional
        Of the training.
    """
    span = {"pairs": pairs, "start": start, "end": end}
    features = notebook("12_features", span)
    trained = notebook("21_train", span | {"epochs": epochs, "seed": seed})
    judged = notebook("22_evaluate", {"model_id": trained.get("model_id")})
    return {"12_features": features, "21_train": trained, "22_evaluate": judged}
