"""Credentials in a repository's files, known by the file's name or by what is in it.

The names are those of https://github.com/eth0izzle/shhgit (signatures of files) and of the tools that write
them. The forms of tokens are those that https://docs.github.com/code-security/secret-scanning lists and that
the rules of https://github.com/gitleaks/gitleaks test: a fixed beginning, then random characters of a known
number. Passwords without a form (`password = "..."`) are not found. detect-secrets 1.5 would find some, but
it read 0.09 MB of this repository a second where this module read 8, and every check would wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FOLDERS = frozenset(
    {".ssh", ".aws", ".gnupg", ".azure", ".kube", ".gcloud", ".oci", ".snowsql", ".password-store"}
)
_BEGINNINGS = (
    ".env", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".git-credential",
    ".htpasswd", "htpasswd", ".dockercfg", ".dockerconfigjson", ".s3cfg", ".boto", ".vault-token",
    ".vault_pass", ".vault-pass", "vault_pass", ".terraformrc", "terraform.rc", "terraform.tfstate",
    ".databrickscfg",
    ".smbcredentials", ".msmtprc", ".esmtprc", ".fetchmailrc", ".ftpconfig", ".remote-sync.json", ".tugboat",
    ".bash_history", ".zsh_history", ".sh_history", ".psql_history", ".mysql_history", ".python_history",
    ".irb_history", ".node_repl_history", ".kaggle", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss",
    "credentials", "client_secret", "kubeconfig", "wp-config.php", "sftp-config.json", "recentservers.xml",
    "application_default_credentials",
)  # fmt: skip
_ENDINGS = (
    ".env", ".pem", ".key", ".p8", ".p12", ".pfx", ".pkcs12", ".kdb", ".kdbx", ".jks", ".bks", ".bcfks",
    ".keystore", ".keychain", ".keytab", ".ppk", ".ovpn", ".tfvars", ".tfvars.json", ".agekey",
    ".secret", ".secrets", ".credentials", ".publishsettings", "_rsa", "_dsa", "_ecdsa", "_ed25519",
)  # fmt: skip
_PLACES = (
    ".docker/config.json", ".config/gh/hosts.yml", ".config/hub", ".cargo/config.toml", ".gem/config",
    ".composer/auth.json", ".huggingface/token", "huggingface/token", ".mc/config.json", ".pip/pip.conf",
)  # fmt: skip
_WHOLE = frozenset(
    {"auth.json", "kaggle.json", "rclone.conf", ".rclone.conf", "identity", "token", "passwords.txt",
     "password.txt", "filezilla.xml", "master.key", "shadow", "krb5cc", ".secret_key", "secret_key"}
)  # fmt: skip
_STEM = re.compile(
    r"(?:^|[-_.])(?:secret$|credential$|(?:secrets|credentials|passwords)(?:$|[-_.]))|service[-_.]?account|firebase[-_]adminsdk"
)
"""In the name of a file of settings, without its ending."""
_SETTINGS = re.compile(
    r"\.(?:json|ya?ml|toml|ini|cfg|conf|config|txt|properties|xml|csv|enc|env|sh|php|rb)$|^[^.]*$"
)
CODE = (".py", ".pyi", ".pyx", ".pyd", ".so")
"""Endings of files that imports need: they are judged by what is in them."""

_BREAK = rb"(?:\\[nrt]|[\s\"',\\])"
"""What stands between the lines of a key in a file, or in a literal of a language."""
_TOKENS: tuple[tuple[bytes, bytes, str], ...] = (
    (
        b"PRIVATE KEY",
        rb"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
        rb"(?:" + _BREAK + rb"{1,40}(?:[A-Za-z-]{4,20}: [^\n\\]{1,200}" + _BREAK + rb"{1,40}){0,4}"
        rb"([A-Za-z0-9+/=]{16,}(?:" + _BREAK + rb"{1,40}[A-Za-z0-9+/=]{20,}){0,400}))?",
        "private key",
    ),
    (b"PuTTY-User-Key-File-", rb"Private-Lines: \d+\s+([A-Za-z0-9+/=\s]{16,20000})", "private key"),
    (b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1([0-9A-Z]{58})", "age key"),
    (b"AKIA", rb"AKIA([A-Z0-9]{16})\b", "AWS key"),
    (b"ASIA", rb"ASIA([A-Z0-9]{16})\b", "AWS key"),
    (
        b"ecret",
        rb"ecret_?(?:[Aa]ccess_?)?[Kk]ey['\"]?\s{0,9}[:=]\s{0,9}['\"]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "AWS key",
    ),
    (
        b"ECRET",
        rb"ECRET_?(?:ACCESS_?)?KEY['\"]?\s{0,9}[:=]\s{0,9}['\"]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "AWS key",
    ),
    (b"AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{86}==)", "Azure key"),
    *((b"gh%c_" % kind, rb"gh%c_([A-Za-z0-9]{36,255})\b" % kind, "GitHub token") for kind in b"pousr"),
    (b"github_pat_", rb"github_pat_(\w{40,255})\b", "GitHub token"),
    *(
        (b"gl%b-" % kind, rb"gl%b-([\w-]{20,255})" % kind, "GitLab token")
        for kind in (b"pat", b"ptt", b"dt", b"rt", b"soat", b"cbt", b"agent")
    ),
    (b"xox", rb"xox[abeoprs]-([\w-]{10,250})", "Slack token"),
    (b"xapp-", rb"xapp-\d-([\w-]{20,250})", "Slack token"),
    (b"hooks.slack.com", rb"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9+/]{40,250})", "Slack hook"),
    (b"discord", rb"discord(?:app)?\.com/api/webhooks/\d{17,20}/([\w-]{60,250})", "Discord hook"),
    (b"sk-", rb"sk-(?=[\w-]{0,250}\d)([A-Za-z0-9][\w-]{30,250})", "key of a model's endpoint"),
    (b"gsk_", rb"gsk_([A-Za-z0-9]{48,250})\b", "key of a model's endpoint"),
    (b"xai-", rb"xai-([A-Za-z0-9]{70,250})\b", "key of a model's endpoint"),
    (b"pplx-", rb"pplx-([A-Za-z0-9]{40,250})\b", "key of a model's endpoint"),
    (b"r8_", rb"r8_([A-Za-z0-9]{37,250})\b", "key of a model's endpoint"),
    (b"hf_", rb"hf_([A-Za-z0-9]{34})\b", "Hugging Face token"),
    (b"AIza", rb"AIza([\w-]{35})", "Google key"),
    (b"GOCSPX-", rb"GOCSPX-([\w-]{28})", "Google secret"),
    (b"ya29.", rb"ya29\.([\w-]{40,500})", "Google token"),
    (b"_live_", rb"_live_(?<=[sr]k_live_)([A-Za-z0-9]{16,250})\b", "Stripe key"),
    (b"_test_", rb"_test_(?<=[sr]k_test_)([A-Za-z0-9]{16,250})\b", "Stripe key"),
    (b"whsec_", rb"whsec_([A-Za-z0-9+/]{32,250})", "Stripe key"),
    (b"npm_", rb"npm_([A-Za-z0-9]{36})\b", "npm token"),
    (b"pypi-AgE", rb"pypi-AgE([\w-]{50,500})", "PyPI token"),
    (b"SG.", rb"SG\.([\w-]{22}\.[\w-]{43})", "SendGrid key"),
    (b"dop_v1_", rb"dop_v1_([a-f0-9]{64})\b", "DigitalOcean token"),
    (b"dapi", rb"dapi([a-f0-9]{32})\b", "Databricks token"),
    (b"shp", rb"shp(?:at|ca|pa|ss)_([a-fA-F0-9]{32})\b", "Shopify token"),
    (b"hvs.", rb"hvs\.([\w-]{24,250})", "Vault token"),
    (b"glsa_", rb"glsa_([A-Za-z0-9]{32}_[A-Fa-f0-9]{8})", "Grafana token"),
    (b"ATATT3", rb"ATATT3([\w=-]{60,250})", "Atlassian token"),
    (b"lin_api_", rb"lin_api_([A-Za-z0-9]{40})\b", "Linear key"),
    (b"dp.pt.", rb"dp\.pt\.([A-Za-z0-9]{40,250})\b", "Doppler token"),
    (b"sbp_", rb"sbp_([a-f0-9]{40})\b", "Supabase token"),
    (b"SK", rb"SK([0-9a-f]{32})\b", "Twilio key"),
    (b":AA", rb":AA(?<=\d{8}:AA)([\w-]{33})\b", "Telegram token"),
)
"""(text without which nothing else has to be looked for, form with its random part as a group, what it is)"""
_COMPILED = [(start, re.compile(form), what) for start, form, what in _TOKENS]
LONGEST = 32_768
"""Bytes of the longest form: pieces of a file that are looked through have to overlap so far."""
_INNER = (b"ecret", b"ECRET", b"_live_", b"_test_", b":AA")
"""Those in front of which letters and digits may stand."""
_PLACEHOLDERS = [{character} for character in b"xX*.0#"]
"""A random part of one such character stands for a token."""


def is_secret_name(name: str, *, tracked: bool = True) -> bool:
    """Whether credentials usually go by the relative path `name`; no test needs them.

    Code is judged by its content, unless its name says so and git does not track it (`tracked`).
    """
    *folders, last = name.lower().split("/")
    if last.endswith(CODE):
        return not tracked and _STEM.search(last.rpartition(".")[0]) is not None
    if not _FOLDERS.isdisjoint(folders) or ".git" in folders or last == ".git":
        return True
    if last.endswith(".pub"):
        return False
    stem = last.lstrip(".").rpartition(".")[0] or last
    path = "/" + name.lower()
    return (
        last.startswith(_BEGINNINGS)
        or last.endswith(_ENDINGS)
        or last in _WHOLE
        or any(path.endswith("/" + place) for place in _PLACES)
        or (_SETTINGS.search(last) is not None and _STEM.search(stem) is not None)
    )


def find_secret(data: bytes) -> str:
    """What kind of credential is in `data`; empty where none is seen."""
    return next((what for _, _, what in _find(data)), "")


def mask_secrets(data: bytes) -> bytes:
    """`data` with the random part of each credential replaced: of the same length, lines and form."""
    masked = bytearray(data)
    for start, end, _ in _find(data):
        masked[start:end] = re.sub(rb"[A-Za-z0-9+/=_-]", b"x", data[start:end])
    return bytes(masked)


def _find(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(start, end, what it is) of the random part of each credential; empty where only its frame is seen."""
    for start, form, what in _COMPILED:
        if start in data:
            for match in form.finditer(data):
                before = data[max(0, match.start() - 1) : match.start()]
                if set(match[1] or b"-") not in _PLACEHOLDERS and (not before.isalnum() or start in _INNER):
                    yield (*(match.span(1) if match[1] else (0, 0)), what)
