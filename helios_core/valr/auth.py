"""Signatures of VALR requests: REST and the upgrade of both websockets.

The exchange recomputes the signature from the bytes it receives, so what is signed here must be
what is sent: the path with its query exactly as encoded, and the body byte for byte. Sign last,
once for every request, and hand the client library an address it does not quote again.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from helios_core.errors import ConfigError, UsageError

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Socket = Literal["/ws/account", "/ws/trade"]

KEY_HEADER = "X-VALR-API-KEY"
SIGNATURE_HEADER = "X-VALR-SIGNATURE"
TIMESTAMP_HEADER = "X-VALR-TIMESTAMP"
SUBACCOUNT_HEADER = "X-VALR-SUB-ACCOUNT-ID"
OLDEST_TIMESTAMP = 10**12  # 2001 in milliseconds; a smaller one was given in seconds
NEWEST_TIMESTAMP = 10**14  # year 5138; a larger one was given in micro- or nanoseconds


@dataclass(frozen=True, slots=True)
class Credentials:
    """A VALR key; the secret does not show when this is printed.

    Attributes
    ----------
    key : str
        64 hexadecimal digits as issued.
    subaccount : str
        Digits of the subaccount that a key of the primary account acts for; empty for none.

    Raises
    ------
    ConfigError
        If the key does not fit a header.
    """

    key: str
    secret: SecretStr
    subaccount: str = ""

    def __post_init__(self) -> None:
        if not (self.key.isascii() and self.key.isalnum()):
            raise ConfigError(
                "a VALR key is of letters and digits, found an empty one or one with other "
                "characters; copy it again without spaces"
            )


def sign(
    secret: SecretStr,
    timestamp: int,
    verb: Verb,
    path: str,
    body: bytes = b"",
    *,
    subaccount: str = "",
) -> str:
    """Return the signature of one request, 128 lower-case hexadecimal digits.

    Parameters
    ----------
    secret : SecretStr
        Of the key, as issued; VALR uses its text as the key and does not decode the digits.
    timestamp : int
        Unix time in milliseconds, the same as in the header.
    path : str
        From the slash on, with the query as it is sent; no scheme and no host.
    body : bytes
        As it is sent; empty for GET and for a DELETE without body.
    subaccount : str
        Digits of the subaccount to act for, signed after the body; empty for none.

    Raises
    ------
    ConfigError
        If the secret is empty.
    UsageError
        If the path is a whole address, the timestamp is not in milliseconds, or the subaccount
        is not a number.

    References
    ----------
    https://docs.valr.com, "Authentication".
    """
    key = secret.get_secret_value().encode()
    if not key:
        raise ConfigError("signing needs the secret of a VALR key, found an empty one")
    _require_signable(timestamp, path, subaccount)
    payload = f"{timestamp}{verb}{path}".encode() + body + subaccount.encode()
    return hmac.new(key, payload, hashlib.sha512).hexdigest()


def signed_headers(
    credentials: Credentials, timestamp: int, verb: Verb, path: str, body: bytes = b""
) -> dict[str, str]:
    """Return the headers that authenticate one request; arguments and errors as for `sign`.

    The header of the subaccount is present only if one is named: a key that was issued on a
    subaccount must not send it.
    """
    subaccount = credentials.subaccount
    headers = {
        KEY_HEADER: credentials.key,
        SIGNATURE_HEADER: sign(
            credentials.secret, timestamp, verb, path, body, subaccount=subaccount
        ),
        TIMESTAMP_HEADER: str(timestamp),
    }
    return headers | {SUBACCOUNT_HEADER: subaccount} if subaccount else headers


def socket_headers(credentials: Credentials, timestamp: int, socket: Socket) -> dict[str, str]:
    """Return the headers of the HTTP upgrade of `socket`, signed like a GET without body.

    A trade socket without them works too, but VALR closes it after 15 minutes.
    """
    return signed_headers(credentials, timestamp, "GET", socket)


def _require_signable(timestamp: int, path: str, subaccount: str) -> None:
    """Refuse what VALR would answer with -11252, while the reason is still known."""
    if not path.startswith("/") or path.startswith("//"):
        raise UsageError(
            f"VALR signs the path with its query, such as /v1/account/balances, found {path!r}; "
            "leave out scheme and host"
        )
    if not (path.isascii() and path.isprintable()) or " " in path:
        raise UsageError(f"expected the path as it is sent, found {path!r}; percent-encode it")
    if not OLDEST_TIMESTAMP <= timestamp < NEWEST_TIMESTAMP:
        raise UsageError(f"the timestamp is in milliseconds since 1970, found {timestamp}")
    if subaccount and not (subaccount.isascii() and subaccount.isdigit()):
        raise UsageError(f"the id of a subaccount is a string of digits, found {subaccount!r}")
