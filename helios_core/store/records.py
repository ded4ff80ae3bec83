"""Dataclasses of the domain as JSON and back, exactly: a decision read again equals the one kept.

Decimals, times and enums become text. A float that JSON cannot hold becomes null when it is not a
number, else text; PostgreSQL keeps the other ones as decimals that lead back to the same float.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from psycopg.types.json import Jsonb

from helios_core.domain.runs import JsonValue
from helios_core.errors import StoreError

T = TypeVar("T")


def encode(value: object) -> JsonValue:
    """Return a value of the domain as plain JSON.

    Parameters
    ----------
    value : object
        A dataclass, or what dataclasses of the domain are made of: text, numbers, Decimal, aware
        times, enums, None, tuples of these.

    Raises
    ------
    StoreError
        If it holds something else.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return _encode_scalar(value)


def decode(kind: type[T], plain: JsonValue) -> T:
    """Return the `kind` that `encode` made `plain` from.

    Raises
    ------
    StoreError
        If `plain` is not a record of that kind.
    """
    try:
        result: T = _reader(kind)(plain)  # type: ignore[arg-type]  # a type is hashable
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise StoreError(
            f"a record of the ledger is not a {kind.__name__}: {type(error).__name__} {error}; "
            f"read it with the release that wrote it"
        ) from error
    return result


def jsonb(value: object) -> Jsonb:
    """Return a parameter for a ``jsonb`` column; what PostgreSQL refuses in text is replaced."""
    return Jsonb(_storable(value), dumps=partial(json.dumps, allow_nan=False, ensure_ascii=False))


def storable_text(text: str) -> str:
    """Return `text` without what PostgreSQL refuses: NUL and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_storable(item) for item in value]
    return value


def _encode_scalar(value: object) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _encode_scalar(value.value)
    if isinstance(value, float):
        return _encode_float(float(value))
    if isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.isoformat()
    raise StoreError(
        f"a record holds text, numbers, Decimal, aware times and enums, found {value!r} of type "
        f"{type(value).__name__}"
    )


def _encode_float(value: float) -> JsonValue:
    if math.isnan(value):
        return None
    if math.isinf(value) or (value == 0 and math.copysign(1.0, value) < 0):
        return repr(value)  # the decimals of the database have neither infinity nor minus zero
    return value


Reader = Callable[[Any], Any]


@cache
def _reader(kind: Any) -> Reader:  # noqa: ANN401 - annotations have no common type
    """Return the function that reads a value of an annotation."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin in (Union, UnionType):
        return _optional_reader(arguments)
    if origin is Literal:
        return _literal_reader(arguments)
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _SCALARS[kind]


def _dataclass_reader(kind: Any) -> Reader:  # noqa: ANN401
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}

    def read(plain: Mapping[str, Any]) -> object:
        unknown = set(plain) - set(readers)
        if unknown:
            raise ValueError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        return kind(**{name: reader(plain[name]) for name, reader in readers.items()})

    return read


def _tuple_reader(arguments: tuple[Any, ...]) -> Reader:
    if len(arguments) == 2 and arguments[1] is ...:
        item = _reader(arguments[0])
        return lambda plain: tuple(item(value) for value in plain)
    items = tuple(_reader(argument) for argument in arguments)
    return lambda plain: tuple(read(v) for read, v in zip(items, plain, strict=True))


def _optional_reader(arguments: tuple[Any, ...]) -> Reader:
    (inner,) = (argument for argument in arguments if argument is not NoneType)
    read = _reader(inner)
    return lambda plain: None if plain is None else read(plain)


def _literal_reader(values: tuple[Any, ...]) -> Reader:
    def read(plain: object) -> object:
        if plain not in values:
            raise ValueError(f"{plain!r} is none of {', '.join(map(str, values))}")
        return plain

    return read


def _exactly(kind: type) -> Reader:
    def read(plain: object) -> object:
        if type(plain) is not kind:
            raise TypeError(f"{plain!r} is no {kind.__name__}")
        return plain

    return read


_SCALARS: dict[Any, Reader] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: lambda plain: math.nan if plain is None else float(plain),
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
}
