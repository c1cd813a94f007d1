"""Addresses, lists of models, keys on their way, certificates and proxies."""

from __future__ import annotations

from tests.agent.models.endpoints.situation import Reply, Situation, always, ok, raw

PAGE = raw(b"<!doctype html><html><title>Chat</title></html>")
UNEXPECTED = raw({"error": "Unexpected endpoint or method. (GET /models). Returning 200 anyway"})
MISSING = Reply(b"<html><title>404 Not Found</title></html>", 404, {"content-type": "text/html"})
KEY = {"OPENAI_API_KEY": "sk-of-somebody-known"}


def names(*listed: str) -> Reply:
    return raw({"object": "list", "data": [{"id": name} for name in listed]})


def lists(reply: Reply):
    """The answer to a look at the models."""
    return lambda _server, _method, path, *_: reply if path == "/v1/models" else None


def elsewhere(reply: Reply, prefix: str = "/v1"):
    """`reply` to whatever is not below the prefix."""
    return lambda _server, _method, path, *_: None if path.startswith(prefix) else reply


def root(base_url: str) -> str:
    return base_url.removesuffix("/v1")


def azure(path: str, *, key: str = "sk-of-somebody-known"):
    """Azure's way: the deployment in the path, the version in the query, the key in a header of its own."""

    def route(server, method, asked, headers, content):
        if asked != f"{path}/chat/completions?api-version=2024-10-21" or method != "POST":
            return raw({"error": {"code": "404", "message": "Resource not found"}}, 404)
        if headers.get("api-key") != key:
            return raw(
                {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}}, 401
            )
        return server.chat(content, headers)

    return route


def as_proxy(server, method, path, headers, content):
    """A forward proxy, which is asked for whole addresses."""
    if path == "http://endpoint.test/v1/models":
        return names("tiny")
    return server.chat(content, headers) if path.startswith("http://endpoint.test/v1/chat") else None


def away(path: str):
    """A redirect to another host for whatever is asked."""
    return lambda *_: Reply(b"", 307, {"location": f"https://elsewhere.test{path}"})


def listed(what: str, reply: Reply, **more) -> Situation:
    return Situation(what, always(ok()), 0, 2, route=lists(reply), **more)


def refused(what: str, says: str, **more) -> Situation:
    return Situation(
        what, always(ok()), **{"code": 2, "paid": 0, "outcome": "nothing is asked"} | more, says=says
    )


PROXY = "http://127.0.0.1:{port}"
GONE = "http://127.0.0.1:1"
FAR = "http://endpoint.test/v1"
SITUATIONS = [
    listed("the list of models has `any/*`", names("any/*", "other/*"), model="any/tiny"),
    listed("the list of models has `*`", names("*")),
    listed("the list of models has `tiny:latest`, as Ollama's", names("tiny:latest")),
    listed("the list has `models/tiny`, as Gemini's", names("models/tiny")),
    listed("the list has the plain name of `tiny:free`", names("tiny"), model="tiny:free"),
    listed("the list is a JSON list, as Together's", raw([{"id": "tiny"}])),
    listed(
        "the list is closed to this key: 403",
        raw({"error": {"message": "Missing scopes: api.model.read"}}, 403),
    ),
    listed("the list answers 400", raw({"error": {"message": "model is required"}}, 400)),
    listed("the list answers 404", raw({"detail": "Not Found"}, 404)),
    listed("the list answers 500", raw({"detail": "boom"}, 500)),
    listed("the list is empty", names()),
    listed(
        "the list lacks the name, with --no-model-check",
        names("base"),
        words=("--no-model-check", "--select", "first"),
    ),
    listed(
        "the list wants a key: 401, with --no-model-check",
        raw({}, 401),
        words=("--no-model-check", "--select", "first"),
    ),
    refused(
        "the list lacks the name",
        "it serves: base; --no-model-check asks it all the same",
        route=lists(names("base")),
    ),
    refused("the list wants a key: 401", "set OPENAI_API_KEY", route=lists(raw({}, 401))),
    refused("the list answers 429", "is not ready", code=3, route=lists(raw({}, 429))),
    Situation("base URL with a closing slash", always(ok()), 0, 2, address=lambda url: f"{url}/"),
    Situation(
        "base URL with `/chat/completions`", always(ok()), 0, 2, address=lambda url: f"{url}/chat/completions"
    ),
    *(
        Situation(
            f"base URL without /v1; there is {what}",
            always(ok()),
            0,
            2,
            "has its API at /v1",
            address=root,
            route=elsewhere(reply),
        )
        for what, reply in {
            "a page with 404": MISSING,
            "a page with 200": PAGE,
            "200 with an error, as LM Studio's": UNEXPECTED,
        }.items()
    ),
    refused("a web page at every path", "mostly ends in /v1", route=lambda *_: PAGE),
    refused(
        "200 with `Unexpected endpoint` at every path",
        "mostly ends in /v1",
        address=root,
        route=lambda *_: UNEXPECTED,
    ),
    refused(
        "base URL with a wrong path",
        "mostly ends in /v1",
        address=lambda url: f"{root(url)}/api",
        route=elsewhere(MISSING),
    ),
    refused(
        "base URL without http://", "is not an address like", address=lambda url: url.partition("://")[2]
    ),
    Situation(
        "Azure: the address of a deployment",
        always(ok()),
        0,
        2,
        address=lambda url: f"{root(url)}/openai/deployments/mine?api-version=2024-10-21",
        route=azure("/openai/deployments/mine"),
        environment=KEY,
    ),
    Situation(
        "Azure: the target URI that its portal shows",
        always(ok()),
        0,
        2,
        address=lambda url: f"{root(url)}/openai/deployments/mine/chat/completions?api-version=2024-10-21",
        route=azure("/openai/deployments/mine"),
        environment=KEY,
    ),
    Situation(
        "Azure: the version in OPENAI_API_VERSION, the key in AZURE_OPENAI_API_KEY",
        always(ok()),
        0,
        2,
        address=lambda url: f"{root(url)}/openai/deployments/mine",
        route=azure("/openai/deployments/mine"),
        environment={"OPENAI_API_VERSION": "2024-10-21", "AZURE_OPENAI_API_KEY": "sk-of-somebody-known"},
    ),
    refused(
        "Azure: no version of the API",
        "end it with ?api-version=",
        address=lambda url: f"{root(url)}/openai/deployments/mine",
    ),
    refused(
        "Azure: a wrong key",
        "the key in OPENAI_API_KEY is wrong",
        address=lambda url: f"{root(url)}/openai/deployments/mine?api-version=2024-10-21",
        route=azure("/openai/deployments/mine", key="another"),
        environment=KEY,
    ),
    refused(
        "a redirect to another host",
        "(https://elsewhere.test/v1/models)",
        route=away("/v1/models"),
        environment=KEY,
    ),
    refused(
        "https with a certificate that nobody signed",
        "the server's certificate is not trusted (self-signed certificate)",
        secure=True,
    ),
    Situation(
        "https with the certificate in SSL_CERT_FILE",
        always(ok()),
        0,
        2,
        secure=True,
        environment={"SSL_CERT_FILE": "{certificate}"},
    ),
    refused(
        "https to a port that speaks http",
        "give the address as http://",
        address=lambda url: url.replace("http:", "https:"),
    ),
    refused(
        "http to a port that speaks https",
        "give the address as https://",
        secure=True,
        address=lambda url: url.replace("https:", "http:"),
    ),
    refused(
        "SSL_CERT_FILE names a file that is gone",
        "SSL_CERT_FILE=/no/such.pem: not there",
        secure=True,
        environment={"SSL_CERT_FILE": "/no/such.pem"},
    ),
    refused(
        "SSL_CERT_FILE is no file of certificates",
        "no file of certificates (PEM) can be read there",
        secure=True,
        environment={"SSL_CERT_FILE": __file__},
    ),
    refused(
        "SSL_CERT_DIR names a folder that is gone",
        "SSL_CERT_DIR=/no/such: not there",
        secure=True,
        environment={"SSL_CERT_DIR": "/no/such"},
    ),
    Situation(
        "SSL_CERT_FILE is gone, and the address is http",
        always(ok()),
        0,
        2,
        environment={"SSL_CERT_FILE": "/no/such.pem"},
    ),
    Situation(
        "an HTTP proxy leads to the server",
        always(ok()),
        0,
        2,
        address=lambda _url: FAR,
        route=as_proxy,
        environment={"HTTP_PROXY": PROXY},
    ),
    Situation(
        "a proxy is set, and the server is on this machine",
        always(ok()),
        0,
        2,
        environment={"ALL_PROXY": GONE},
    ),
    refused(
        "the proxy is down",
        f"the proxy HTTP_PROXY={GONE} does not lead to {FAR}",
        code=3,
        address=lambda _url: FAR,
        environment={"HTTP_PROXY": GONE},
    ),
    refused(
        "ALL_PROXY=socks5://, and the library for it is missing",
        "pip install 'httpx2[socks]'",
        address=lambda _url: FAR,
        environment={"ALL_PROXY": "socks5://127.0.0.1:7890"},
    ),
    refused(
        "ALL_PROXY=socks://",
        "write socks5:// or http://",
        address=lambda _url: FAR,
        environment={"ALL_PROXY": "socks://127.0.0.1:7890"},
    ),
    refused(
        "the proxy's password is not shown",
        "the proxy HTTP_PROXY=http://127.0.0.1:1 does not lead",
        code=3,
        address=lambda _url: FAR,
        environment={"HTTP_PROXY": "http://me:sk-of-somebody@127.0.0.1:1"},
    ),
    refused("nothing listens", "no server answers at", code=3, address=lambda _url: "http://127.0.0.1:1/v1"),
    *(
        refused(
            f"`sstar doctor`: {what}",
            says,
            command="doctor",
            code=1,
            outcome="said in its line of the table",
            **more,
        )
        for what, says, more in (
            ("a certificate that nobody signed", "is not trusted", {"secure": True}),
            (
                "SSL_CERT_FILE is gone",
                "SSL_CERT_FILE=/no/such.pem",
                {"secure": True, "environment": {"SSL_CERT_FILE": "/no/such.pem"}},
            ),
            (
                "ALL_PROXY=socks5://",
                "httpx2[socks]",
                {"address": lambda _url: FAR, "environment": {"ALL_PROXY": "socks5://h:1"}},
            ),
            ("a web page at every path", "mostly ends in /v1", {"route": lambda *_: PAGE}),
        )
    ),
    refused(
        "`sstar doctor`: base URL without /v1",
        "has its API at /v1",
        command="doctor",
        code=0,
        outcome="said in its line of the table",
        address=root,
        route=elsewhere(PAGE),
    ),
]
