"""A model on disk: ``<root>/<name>/<version>/{weights.safetensors, card.json}``, no code in it.

The weights file holds the network, its scaler and its calibration; the card holds the sha256 of
that file. Both are written into a hidden directory that is renamed when it is complete.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, astuple, dataclass, fields
from datetime import datetime
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from helios_core.domain.runs import Json, ModelCard
from helios_core.errors import ModelError, NotFoundError
from helios_core.network.architecture import HeliosNet, parameter_count
from helios_core.network.config import digest, network_config
from helios_core.network.inference import Calibration, LoadedModel
from helios_core.network.training import Trained
from helios_core.network.windows import Scaler

WEIGHTS, CARD = "weights.safetensors", "card.json"
_NET, _SCALER, _CONTEXT, _CALIBRATION = "net.", "scaler.", "context_scaler.", "calibration"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from: the run and commit that made it, and when (UTC)."""

    trained_at: datetime
    commit: str = "unknown"
    run_id: str | None = None


def save_model(trained: Trained, root: Path, name: str, origin: Origin) -> ModelCard:
    """Write a trained model below `root` and return its card.

    The version is a hash of data, labels, config and seed, so saving the same training twice
    keeps the first copy; a damaged copy is replaced.

    Raises
    ------
    ModelError
        If the directory cannot be written.
    """
    weights = _pack(trained.model)
    card = _card(trained, weights, name, origin)
    target = model_directory(root, card)
    kept = _intact(root, target)
    if kept is not None:
        return kept
    try:
        _write(target, weights, _card_text(card))
    except OSError as error:
        raise ModelError(
            f"the model could not be written to {target}: {error.strerror}; "
            f"free some space or choose another models directory"
        ) from error
    return card


def load_model(root: Path, card: ModelCard, *, feature_set: str | None = None) -> LoadedModel:
    """Read a model and check that it is the one the card describes.

    Parameters
    ----------
    root : Path
        Registry root that `save_model` wrote to.
    card : ModelCard
        From the database or `read_card`; its sha256 decides.
    feature_set : str, optional
        Refuse a model that was trained on another feature set than this.

    Raises
    ------
    NotFoundError
        If there is no weights file.
    ModelError
        If the file was changed or cut, does not fit the card, or has another feature set.
    """
    if feature_set is not None and card.feature_set != feature_set:
        raise ModelError(
            f"{card.model_id} was trained on feature set {card.feature_set[:12]}, the present one "
            f"is {feature_set[:12]}; train a new model"
        )
    path = model_directory(root, card) / WEIGHTS
    if not path.is_file():
        raise NotFoundError(f"{card.model_id} has no weights at {path}; train it again")
    weights = path.read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != card.weights_sha256:
        raise ModelError(
            f"{path} was changed or cut: expected sha256 {card.weights_sha256[:16]}, found "
            f"{found[:16]} in {len(weights)} bytes; restore the file or train the model again"
        )
    return _unpack(weights, card)


def read_card(path: Path) -> ModelCard:
    """Return the card in `path`, a ``card.json``.

    Raises
    ------
    NotFoundError
        If there is no such file.
    ModelError
        If it is not a card.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no model card at {path}; train a model first")
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        for name in ("data_from", "data_to", "trained_at"):
            plain[name] = datetime.fromisoformat(plain[name])
        return ModelCard(**plain)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path} is not a model card with the fields "
            f"{', '.join(f.name for f in fields(ModelCard))}: {error}; train the model again"
        ) from error


def model_directory(root: Path, card: ModelCard) -> Path:
    """Return the directory of a model; a name that would leave `root` raises ``ModelError``."""
    for part in (card.name, card.version):
        if not part or part.startswith(".") or not part.replace("-", "").replace("_", "").isalnum():
            raise ModelError(
                f"a model name or version has letters, digits, - and _ only, found {part!r}"
            )
    return root / card.name / card.version


def _card(trained: Trained, weights: bytes, name: str, origin: Origin) -> ModelCard:
    config = trained.model.config
    return ModelCard(
        model_id=f"{name}-{trained.version}",
        name=name,
        version=trained.version,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        feature_set=trained.model.feature_set,
        label_schema=config.label.schema,
        config=config.to_json(),
        metrics=trained.metrics,
        data_from=trained.data_from,
        data_to=trained.data_to,
        seed=config.train.seed,
        commit=origin.commit,
        parameters=parameter_count(trained.model.net),
        trained_at=origin.trained_at,
        run_id=origin.run_id,
    )


def _card_text(card: ModelCard) -> str:
    plain = asdict(card)
    for name in ("data_from", "data_to", "trained_at"):
        plain[name] = plain[name].isoformat()
    return json.dumps(plain, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _pack(model: LoadedModel) -> bytes:
    tensors: dict[str, Tensor] = {
        _NET + name: value.detach().cpu().contiguous()
        for name, value in model.net.state_dict().items()
    }
    for prefix, scaler in ((_SCALER, model.scaler), (_CONTEXT, model.context_scaler)):
        for field in fields(Scaler):
            tensors[prefix + field.name] = torch.from_numpy(getattr(scaler, field.name))
    tensors[_CALIBRATION] = torch.tensor(astuple(model.calibration), dtype=torch.float64)
    about = {
        "config": digest(model.config.to_json()),
        "feature_set": model.feature_set,
        "names": json.dumps(model.names),
        "pairs": json.dumps(model.pairs),
    }
    return write_tensors(tensors, about)


def _unpack(weights: bytes, card: ModelCard) -> LoadedModel:
    about = _header(weights)
    if about.get("config") != digest(card.config) or about["feature_set"] != card.feature_set:
        raise ModelError(
            f"the card of {card.model_id} does not describe its weights: config or feature set "
            f"differ; restore card.json or train the model again"
        )
    config = network_config(card.config)
    with (
        torch.random.fork_rng()
    ):  # the first weights are thrown away; leave the caller's dice alone
        net = HeliosNet(config)
    try:
        tensors = read_tensors(weights)
        scaler, context_scaler = _pop_scaler(tensors, _SCALER), _pop_scaler(tensors, _CONTEXT)
        calibration = Calibration(*tensors.pop(_CALIBRATION).tolist())
        net.load_state_dict({k.removeprefix(_NET): v for k, v in tensors.items()})
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise ModelError(
            f"the weights of {card.model_id} do not fit the network of this Helios: {error}; "
            f"train the model again"
        ) from error
    net.eval()
    return LoadedModel(
        model_id=card.model_id,
        net=net,
        config=config,
        scaler=scaler,
        context_scaler=context_scaler,
        calibration=calibration,
        pairs=tuple(json.loads(about["pairs"])),
        names=tuple(json.loads(about["names"])),
        feature_set=card.feature_set,
    )


def _pop_scaler(tensors: dict[str, Tensor], prefix: str) -> Scaler:
    arrays = {f.name: tensors.pop(prefix + f.name).numpy() for f in fields(Scaler)}
    return Scaler(**arrays)


def _header(weights: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file: 8 bytes of length, then JSON."""
    size = int.from_bytes(weights[:8], "little")
    try:
        plain: Json = json.loads(weights[8 : 8 + size])
        about = plain["__metadata__"]
        return {str(k): str(v) for k, v in about.items()}  # type: ignore[union-attr]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the weights have no Helios header: {error}; train the model again"
        ) from error


def _intact(root: Path, target: Path) -> ModelCard | None:
    """Return the card of a complete copy that is already there, else None."""
    try:
        card = read_card(target / CARD)
        load_model(root, card)
    except (NotFoundError, ModelError):
        return None
    return card if model_directory(root, card) == target else None


def _write(target: Path, weights: bytes, card_text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write_synced(partial / WEIGHTS, weights)
        _write_synced(partial / CARD, card_text.encode())
        partial.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)  # only a damaged copy gets here
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
