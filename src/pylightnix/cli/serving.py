"""`serve`: a store as a remote that can be read, over HTTP."""

from __future__ import annotations

import os
import sys

import click

from pylightnix.cli.options import json_option, store_option
from pylightnix.cli.output import out_exact, out_json, remark
from pylightnix.errors import ArgumentError
from pylightnix.names import printable
from pylightnix.session.location import as_store
from pylightnix.session.serving import Where, serve

TOKEN = "PYLIGHTNIX_SERVE_TOKEN"


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8642, show_default=True, type=click.IntRange(0, 65535), help="0: one that is free.")
@click.option(
    "--token-file", type=click.Path(), metavar="FILE", help=f"Whoever asks has to have what is in it, or ${TOKEN}."
)
@click.option("--tls-cert", default="", type=click.Path(), metavar="FILE", help="The certificate, for HTTPS.")
@click.option("--tls-key", default="", type=click.Path(), metavar="FILE", help="Its key.")
@click.option("--root", "roots", multiple=True, metavar="NAME", help="Only what this root reaches. May be repeated.")
@click.option("--secrets", is_flag=True, help="Serve also files that look like secrets.")
@click.option("--open", "is_open", is_flag=True, help="Let others in without a token, or without HTTPS.")
@store_option
@json_option
def serve_command(
    host: str, port: int, token_file: str | None, tls_cert: str, tls_key: str, roots: tuple[str, ...], secrets: bool,
    is_open: bool, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Serve the store as a remote that can be read, until interrupted.

    Prints the address, for others to give to `pull --from` and `realize --remote`; they have
    HOST:PORT=TOKEN in $PYLIGHTNIX_REMOTE_TOKEN.
    """
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    where = as_store(store)
    place = Where(host, port, _token(token_file), tls_cert, tls_key, is_open)

    def told(address: str) -> None:
        if as_json:
            out_json({"address": address, "store": str(where.path)})
        else:
            out_exact(address)
        if sys.stdout is not None:
            sys.stdout.flush()  # who started it waits for the address
        if as_json:
            return
        yet = "" if where.path.exists() else ", which is not there yet"
        remark(f"serving {printable(str(where.path))}{yet}; Ctrl-C ends it")

    serve(where, place, roots=roots or None, secrets=secrets, told=told)


def _token(path: str | None) -> str:
    if path is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"the token cannot be read: {error}", where="--token-file") from error
    if not token:
        raise ArgumentError("there is no token in it", where="--token-file", hint="such as from: openssl rand -hex 20")
    return token
