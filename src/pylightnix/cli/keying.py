"""`key` and `sign`: your key, whom you trust, and vouching for results."""

from __future__ import annotations

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.copying import incomplete_option
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out_exact, out_json, out_table, remark, table
from pylightnix.cli.targets import realizations
from pylightnix.clock import iso, now
from pylightnix.model.trust import Keyring
from pylightnix.names import printable
from pylightnix.remotes.keyring import Keys
from pylightnix.session.location import as_store
from pylightnix.session.signing import doubted, own_key, sign

DOUBTED = 1


@click.group("key", subcommand_metavar="COMMAND …")
def key_command() -> None:
    """Your key, and the keys of those whom you trust.

    What you push is signed with your key, if you have one; what you pull must be signed by somebody whom you trust.
    """


@key_command.command("generate")
@json_option
def generate_command(as_json: bool) -> None:
    """Make your key, and print what others need to trust it."""
    keys = Keys()
    key = keys.generate()
    if as_json:
        out_json({"public": key.public, "path": keys.own_path})
        return
    out_exact(key.public)
    remark(f"the secret key is in {printable(keys.own_path)}: keep it so; others get the line above")


@key_command.command("show")
@json_option
def show_command(as_json: bool) -> None:
    """Print your public key."""
    key = own_key()
    if as_json:
        out_json({"public": key.public, "path": Keys().own_path})
    else:
        out_exact(key.public)


@key_command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List whom you trust, where, and which keys were revoked."""
    _tell(Keys().load(), as_json=as_json)


@key_command.command("trust")
@click.argument("name")
@click.argument("public")
@click.option("--remote", metavar="URL", help="Only for remotes whose address begins so.")
@json_option
def trust_command(name: str, public: str, remote: str | None, as_json: bool) -> None:
    """Trust who has the key PUBLIC, and call them NAME."""
    _tell(Keys().trust(name, public, remote), as_json=as_json)


@key_command.command("untrust")
@click.argument("name")
@json_option
def untrust_command(name: str, as_json: bool) -> None:
    """Trust NAME no more; what was fetched before stays believed, unless `key check` says otherwise."""
    _tell(Keys().untrust(name), as_json=as_json)


@key_command.command("revoke")
@click.argument("who", metavar="NAME_OR_KEY")
@json_option
def revoke_command(who: str, as_json: bool) -> None:
    """Believe a key no more, whatever it has signed and whenever: it was lost, or stolen."""
    _tell(Keys().revoke(who, iso(now())[:10]), as_json=as_json)
    if not as_json:
        remark("pylightnix key check lists what was fetched before and rests on it")


@key_command.command("need")
@click.argument("number", type=click.IntRange(1))
@json_option
def need_command(number: int, as_json: bool) -> None:
    """Believe only what NUMBER of those whom you trust have signed."""
    _tell(Keys().require(number), as_json=as_json)


@key_command.command("check")
@store_option
@json_option
@click.pass_context
def check_command(ctx: click.Context, store: str | None, as_json: bool) -> None:
    """List what came from elsewhere and would not be believed now; exits with 1 if there is any."""
    found = list(doubted(as_store(store)))
    if as_json:
        out_json([{**one._asdict(), "ref": str(one.ref)} for one in found])
    else:
        out_table(table([(one.ref.short, one.ref.name, printable(one.source), one.why) for one in found]))
        remark(f"{count(len(found), 'realization')} in doubt")
    ctx.exit(DOUBTED if found else 0)


@click.command("sign")
@targets_argument
@incomplete_option
@set_option
@store_option
@json_option
def sign_command(
    targets: tuple[str, ...], incomplete: bool, assignments: tuple[str, ...], store: str | None, as_json: bool
) -> None:
    """Vouch with your key for what TARGETs name, though it was made elsewhere.

    All that it was made from is signed too. What was made here is signed when it is pushed.
    """
    where = as_store(store)
    done = sign(realizations(targets, read_assignments(assignments), where), store=where, incomplete=incomplete)
    if as_json:
        out_json([str(ref) for ref in done])
    else:
        out_table(table([("signed", ref.short, ref.name) for ref in done]))


def _tell(ring: Keyring, *, as_json: bool) -> None:
    if as_json:
        out_json({
            "need": ring.need, "revoked": dict(ring.revoked), "trusted": [one._asdict() for one in ring.trusted],
        })  # fmt: skip
        return
    rows = [("trusted", one.name, one.key, printable(one.remote)) for one in ring.trusted]
    rows += [("revoked", ring.revoked[key], key, "") for key in sorted(ring.revoked)]
    out_table(table(rows))
    if ring.need > 1:
        remark(f"{ring.need} of those who are trusted must have signed")
    elif not rows:
        remark("nobody is trusted yet: pylightnix key trust NAME PUBLIC")
