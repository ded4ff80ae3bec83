"""Signatures that VALR and its users published, copied with their inputs."""

import json

import pytest
from pydantic import SecretStr

from helios_core.errors import ConfigError, UsageError
from helios_core.valr.auth import Credentials, sign, signed_headers, socket_headers

DOCS = SecretStr("4961b74efac86b25cce8fbe4c9811c4c7a787b7a5996660afcc2e287ad864363")
CHRISTSIM = SecretStr("0e06e223696b1d9bc6d8df1f701a87326c16763d8f2ebaaacb1042b61d7c3035")
VALR_PYTHON = SecretStr("superdupersecret")
KEY = "ab" * 32
SUBACCOUNT = "909461317243875555"
MARKET_ORDER = '{"customerOrderId":"ORDER-000001","pair":"%s","side":"BUY","quoteAmount":"80000"}'
BALANCES = (1558014486185, "GET", "/v1/account/balances")

PUBLISHED = {
    "docs get": (
        DOCS, *BALANCES, "", "",
        "9d52c181ed69460b49307b7891f04658e938b21181173844b5018b2fe783a6d4"
        "c62b8e67a03de4d099e7437ebfabe12c56233b73c6a0cc0f7ae87e05f6289928",
    ),
    "docs post": (
        DOCS, 1558017528946, "POST", "/v1/orders/market", MARKET_ORDER % "BTCUSDC", "",
        "09f536e3dfdad58443f16010a97a0a21ad27486b7b8d6d4103170d885410ed77"
        "f037f1fa628474190d4f5c08ca12c1acc850901f1c2e75c6d906ec3b32b008d0",
    ),
    "older docs post": (
        DOCS, 1558017528946, "POST", "/v1/orders/market", MARKET_ORDER % "BTCZAR", "",
        "be97d4cd9077a9eea7c4e199ddcfd87408cb638f2ec2f7f74dd44aef70a49fdc"
        "49960fd5de9b8b2845dc4a38b4fc7e56ef08f042a3c78a3af9aed23ca80822e8",
    ),
    "valr-client post with spaces": (
        DOCS, 1558017528946, "POST", "/v1/orders/market",
        json.dumps(json.loads(MARKET_ORDER % "BTCZAR")), "",
        "c34624540dae2c84a22adeea129424762b007b4bc0bf9c1ca226ea339184115f"
        "b89aaadfbfe534103e2c248d7ba7d9a7dc0670311f0f5a97a66717a582cada6f",
    ),
    "christsim post": (
        CHRISTSIM, 1552244930586, "POST", "/api/v1/withdraw",
        '{"currency":"eth","amount":"2.24353"}', "",
        "0b89e7b4c8236255a7d1bf415dcb745b14ba2cf679ae38f42b3207c5c0a1c6a8"
        "48f6ea5466cccb1e38f54689d86ab4ea73f9cd0d600b90c91ef619828eb7e2fb",
    ),
    "christsim get": (
        CHRISTSIM, 1552244930586, "GET", "/api/v1/withdraw", "", "",
        "475048965cef521871f5c4a3d9d692c3e3279e27c7b9cdaca07c1f1bd2fb27d4"
        "fdb88ea86ef23290b585f03ce2e9af08b31387ca3c7dcdf7832dce7bcea7fdfc",
    ),
    "valr-python get": (
        VALR_PYTHON, 1577572690093, "GET", "/v1/account/balances", "", "",
        "647d276537b952fe37f349422a4a60a76ecc2e3fad509a523b03dccd1a940525"
        "f8ff06314ad1adc5625000223c514637cd9682ee89ffc285b7493e7c64e746aa",
    ),
    "valr-python get for a subaccount": (
        VALR_PYTHON, 1577572690093, "GET", "/v1/account/balances", "", SUBACCOUNT,
        "3dc9ed14dbb13f9c529bd75241686523ca1e77fcbe0184ca35fe8d5329692e5e"
        "26a3b3d7ff339dce6e829d3b1c93ef9e187cf696c07ef12517198950ea68af0f",
    ),
}  # fmt: skip

# Not published: computed with another program from the documented rule, so they only notice change.
COMPUTED = {
    "query": (
        "GET", "/v1/account/balances?excludeZeroBalances=true", "", "",
        "b252adbf9ebb62f1a9043d15bee8a0f66fc77f139ca5a406c08a7ae56b626a17"
        "531aafbbd4899db44286f81784b366a42807b3875433702bb8a5b51df58720f5",
    ),
    "delete with body": (
        "DELETE", "/v1/orders/order", '{"orderId":"UUID","pair":"BTCZAR"}', "",
        "baeec31585776b5910abe049056b80f590985df7d57b6ac1dc031f72e3de27e6"
        "2304c09895a8e4e1a64685cd4fdbc83e83053479d95c079cb072861193f571bb",
    ),
    "post for a subaccount": (
        "POST", "/v2/orders/limit",
        '{"side":"SELL","quantity":"0.1","price":"10000","pair":"BTCZAR","postOnly":true}',
        SUBACCOUNT,
        "fc185f431bc2671b689ebffdeed56bea2997995233ada653fe598b072d935b93"
        "23e46ff78ffe529ee1483f09c40aae70354c0978e9944a445797972c5cd98e20",
    ),
}  # fmt: skip

SOCKETS = {
    "/ws/account": "7c8893b201ee0a38e4fbc0e15aa30a5bab18a9e6c1e9c4f1c50ab7d1403bd8e1"
    "923d068f21be6b2a2717c43abb014a41ef762a113bb6d323393637dae9ac02fb",
    "/ws/trade": "819a2650ba597a17da05cd5fb4a41b914de46abed43e267c1d905f4414c8fa2b"
    "45a8a94080b71ff19f16e845b29ae2869e9edb51afba6610dc5508db37494568",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_signature_is_reproduced(name):
    secret, timestamp, verb, path, body, subaccount, signature = PUBLISHED[name]

    assert sign(secret, timestamp, verb, path, body.encode(), subaccount=subaccount) == signature


def test_the_one_wrong_published_signature_is_of_a_python_dict_and_not_of_json():
    """The DELETE vector in valr-python's tests signed ``str(dict)``, which no server ever gets."""
    published = (
        "862ab6527f1ec72bb2243e5f01ae66515d0e74ef1e36aa68c031c045df1b3b62"
        "bd43858642a8425368895354e360715add8e3aec47432ea69f60bf6cbd546ea5"
    )
    body = {"orderId": "UUID", "pair": "BTCZAR"}
    spellings = [json.dumps(body), json.dumps(body, separators=(",", ":")), str(body)]
    found = [
        sign(VALR_PYTHON, 1577572690093, "DELETE", "/v1/orders/order", text.encode())
        for text in spellings
    ]

    assert [one == published for one in found] == [False, False, True]


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_signature_is_reproduced(name):
    verb, path, body, subaccount, signature = COMPUTED[name]
    found = sign(DOCS, 1558014486185, verb, path, body.encode(), subaccount=subaccount)

    assert found == signature


@pytest.mark.parametrize("socket", SOCKETS)
def test_a_socket_is_signed_like_a_get_of_its_path(socket):
    found = socket_headers(Credentials(KEY, DOCS), 1558014486185, socket)

    assert found == {
        "X-VALR-API-KEY": KEY,
        "X-VALR-SIGNATURE": SOCKETS[socket],
        "X-VALR-TIMESTAMP": "1558014486185",
    }


def test_the_subaccount_is_sent_when_it_is_signed():
    secret, timestamp, verb, path, _, subaccount, signature = PUBLISHED[
        "valr-python get for a subaccount"
    ]
    found = signed_headers(Credentials(KEY, secret, subaccount), timestamp, verb, path)

    assert found["X-VALR-SUB-ACCOUNT-ID"] == SUBACCOUNT
    assert found["X-VALR-SIGNATURE"] == signature


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"path": "https://api.valr.com/v1/account/balances"}, "leave out scheme and host"),
        ({"path": "//api.valr.com/v1/account/balances"}, "leave out scheme and host"),
        ({"path": "v1/account/balances"}, "leave out scheme and host"),
        ({"path": "/v1/account/balances?label=a b"}, "percent-encode"),
        ({"path": "/v1/account/balances\r\n"}, "percent-encode"),
        ({"path": "/v1/account/balances?label=é"}, "percent-encode"),
        ({"timestamp": 1558014486}, "milliseconds"),
        ({"timestamp": 1558014486185000}, "milliseconds"),
        ({"subaccount": "main"}, "string of digits"),
        ({"subaccount": "٣"}, "string of digits"),
    ],
)
def test_what_the_exchange_would_refuse_is_refused_with_the_reason(change, reason):
    call = {"timestamp": 1558014486185, "verb": "GET", "path": "/v1/account/balances"} | change

    with pytest.raises(UsageError, match=reason):
        sign(DOCS, **call)


def test_an_empty_secret_is_refused():
    with pytest.raises(ConfigError, match="secret"):
        sign(SecretStr(""), *BALANCES)


@pytest.mark.parametrize("key", ["", "ab cd", "abcd\r\nX-Other: 1"])
def test_a_key_that_does_not_fit_a_header_is_refused_without_showing_it(key):
    with pytest.raises(ConfigError) as caught:
        Credentials(key, DOCS)

    assert "abcd" not in str(caught.value)
    assert "ab cd" not in str(caught.value)


def test_a_refusal_does_not_show_the_secret():
    with pytest.raises(UsageError) as caught:
        sign(DOCS, 1558014486185, "GET", "no slash")

    assert DOCS.get_secret_value() not in str(caught.value)
    assert DOCS.get_secret_value() not in repr(Credentials(KEY, DOCS))
