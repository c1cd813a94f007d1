"""What lies between this machine and a server: certificates, proxies, and why no connection comes about."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from sstar_code.agent.models.openai.address import is_loopback, show_url
from sstar_code.agent.models.request import ModelUserError

_CERT_FILE, _CERT_FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
_TLS_TIMEOUT_S = 3.0
_PROXY_KINDS = ("http", "https", "socks5", "socks5h")
_UNTRUSTED = re.compile(
    r"CERTIFICATE_VERIFY_FAILED\]?\s*(?:certificate verify failed)?:?\s*([^(]*)", re.IGNORECASE
)
_NO_TLS = re.compile(
    r"WRONG_VERSION_NUMBER|wrong version number|record layer failure|UNKNOWN_PROTOCOL|HTTP_REQUEST",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names for an address."""

    variable: str
    url: str

    def __str__(self) -> str:
        return f"{self.variable}={show_url(self.url)}"


def find_proxy(base_url: str) -> Proxy | None:
    """The proxy for `base_url`; a server on this machine has none, nor has one that `NO_PROXY` names.

    Raises:
        ModelUserError: the proxy is of a kind that is not known, or wants a library that is missing.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_loopback(base_url) or _is_exempt(host, parts.port):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            value = os.environ.get(variable, "").strip()
            if not value:
                continue
            proxy = Proxy(variable, value if "://" in value else f"http://{value}")
            _check_proxy(proxy, host)
            return proxy
    return None


def _is_exempt(host: str, port: int | None) -> bool:
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_covers(item.strip().lower(), host.lower(), port) for item in listed.split(","))


def _covers(item: str, host: str, port: int | None) -> bool:
    """Whether an item of `NO_PROXY` means the host: a name, the end of names, a network, or `*`."""
    name = item.removesuffix(f":{port}").removeprefix("*").removeprefix(".").strip("[]")
    if item == "*" or (name and (host == name or host.endswith(f".{name}"))):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _check_proxy(proxy: Proxy, host: str) -> None:
    kind = proxy.url.partition("://")[0].lower()
    instead = f"or unset {proxy.variable}, or put {host} into NO_PROXY"
    if kind not in _PROXY_KINDS:
        raise ModelUserError(
            f"{proxy}: a proxy of the kind {kind!r} is not known: write socks5:// or http://, {instead}"
        )
    if kind.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ModelUserError(
            f"{proxy}: a SOCKS proxy needs a library: pip install 'httpx2[socks]', {instead}"
        )


def make_ssl_context(base_url: str, proxy: Proxy | None) -> ssl.SSLContext:
    """The certificates to trust: those of `SSL_CERT_FILE` or `SSL_CERT_DIR`, else this machine's.

    Raises:
        ModelUserError: a variable names what is not there, or holds no certificate.
    """
    if not base_url.startswith("https") and not (proxy and proxy.url.startswith("https")):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and quick to make
    file, folder = os.environ.get(_CERT_FILE), os.environ.get(_CERT_FOLDER)
    for variable, path, is_there in (
        (_CERT_FILE, file, os.path.isfile),
        (_CERT_FOLDER, folder, _all_folders),
    ):
        if path and not is_there(path):
            raise ModelUserError(
                f"{variable}={path}: not there: unset {variable}, or give one with certificates"
            )
    if not file and not folder:
        import httpx2

        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise ModelUserError(
            f"{_CERT_FILE}={file}: no file of certificates (PEM) can be read there: {why}"
        ) from error


def _all_folders(paths: str) -> bool:
    return all(Path(path).is_dir() for path in paths.split(os.pathsep) if path)


async def speaks_tls(base_url: str) -> bool:
    """Whether the server behind an `http` address takes an encrypted connection."""
    parts = urlsplit(base_url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent
    try:
        with anyio.fail_after(_TLS_TIMEOUT_S):
            stream = await anyio.connect_tcp(parts.hostname or "", parts.port or 80, ssl_context=context)
            await anyio.aclose_forcefully(stream)
    except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False
    return True


def explain_tls(text: str, base_url: str) -> str | None:
    """Why the two sides do not come to an encrypted connection, and what to do; None where it is not that."""
    url = show_url(base_url)
    untrusted = _UNTRUSTED.search(text)
    if untrusted:
        why = untrusted[1].strip(" :.") or "it cannot be verified"
        trusted = os.environ.get(_CERT_FILE) or os.environ.get(_CERT_FOLDER)
        now = f", which is {trusted} now" if trusted else ""
        return (
            f"{url}: the server's certificate is not trusted ({why}): put the file (PEM) of the authority "
            f"that signed it, or the certificate itself, into {_CERT_FILE}{now}"
        )
    if base_url.startswith("https") and _NO_TLS.search(text):
        return f"{url}: no encryption is spoken there: give the address as http://..."
    return None
