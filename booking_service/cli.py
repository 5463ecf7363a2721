"""The command line: booking db|seed|staff|token|state|reconcile|audit|outbox."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import AppGroup, FlaskGroup
from flask_migrate import Migrate

from booking_service.config import ConfigError, Settings
from booking_service.db import db
from booking_service.errors import BookingServiceError
from booking_service.models import Role
from booking_service.money import dollars
from booking_service.queries import finance_payouts, state
from booking_service.services import demo, outbox, reconciliation, staff

_ROLES = click.Choice([role.value for role in Role])

seed_commands = AppGroup("seed", help="Fill an empty database.")
staff_commands = AppGroup("staff", help="Who may sign in.")
token_commands = AppGroup("token", help="Keys of programs.")
audit_commands = AppGroup("audit", help="The audit log.")
outbox_commands = AppGroup("outbox", help="Work that is owed.")


@seed_commands.command("demo")
@click.option("--days", type=int, help="How far ahead times are offered; left as it is without.")
@click.option("--all-hours", is_flag=True, help="Open around the clock, without lead time.")
@click.option("--json", "as_json", is_flag=True, help="Print sign-ins and tokens as JSON.")
def seed_demo(days: int | None, *, all_hours: bool, as_json: bool) -> None:
    """Set up the demo practice. Safe to repeat."""
    settings: Settings = current_app.extensions["settings"]
    seeded = demo.seed(
        settings.secret_key, is_live=settings.is_live, days=days, all_hours=all_hours
    )
    if as_json:
        click.echo(json.dumps({"staff": seeded.staff, "api_tokens": seeded.api_tokens}))
        return
    for member in seeded.staff:
        click.echo(f"{member['role']:<11} {member['email']}  {member['password']}")


@staff_commands.command("add")
@click.argument("email")
@click.option("--role", type=_ROLES, required=True)
@click.option("--name", help="What colleagues read; the e-mail's first part without it.")
@click.option("--json", "as_json", is_flag=True)
def staff_add(email: str, role: str, name: str | None, *, as_json: bool) -> None:
    """Invite a member of staff and print the one-time set-up link."""
    settings: Settings = current_app.extensions["settings"]
    secret = staff.invite(email, name or email.partition("@")[0].title(), Role(role))
    link = f"{settings.public_base_url}/set-up/{secret}"
    click.echo(json.dumps({"email": email, "role": role, "link": link}) if as_json else link)


@token_commands.command("create")
@click.argument("name")
@click.option("--scope", type=_ROLES, required=True)
@click.option("--json", "as_json", is_flag=True)
def token_create(name: str, scope: str, *, as_json: bool) -> None:
    """Make an API token and print it, once."""
    token = staff.create_token(name, Role(scope))
    click.echo(json.dumps({"name": name, "scope": scope, "token": token}) if as_json else token)


@click.command("state")
@click.option("--json", "as_json", is_flag=True, help="The only form there is; kept for clarity.")
def print_state(*, as_json: bool) -> None:
    """Print everything that is, as ids, statuses and cents."""
    click.echo(json.dumps(state.state(), indent=None if as_json else 2))


@click.command("reconcile")
@click.option("--json", "as_json", is_flag=True)
def reconcile(*, as_json: bool) -> None:
    """Compare our books with Stripe's now, put right what is safe; exit 1 when a line is left."""
    made = reconciliation.run(current_app.extensions["gateway"], "booking reconcile")
    found = finance_payouts.comparison(made)
    click.echo(json.dumps(asdict(found), default=str) if as_json else _comparison_words(found))
    sys.exit(0 if found.is_explained else 1)


def _comparison_words(found: finance_payouts.Comparison) -> str:
    lines = [
        f"{line.kind}: {line.stripe_id or line.our_id}, ours {line.our_cents}, "
        f"Stripe's {line.stripe_cents}"
        for line in found.discrepancies
    ]
    in_doubt = found.promises.in_doubt
    lines.append(f"{found.matched} movements match, {found.repaired} lines were put right.")
    lines.append(f"Residue {dollars(found.residue_cents)}; {in_doubt} promises are in doubt.")
    return "\n".join(lines)


@audit_commands.command("verify")
@click.option("--json", "as_json", is_flag=True)
def audit_verify(*, as_json: bool) -> None:
    """Re-compute the audit chain; exit 1 when a row was altered or taken out."""
    found = state.audit()
    click.echo(json.dumps(found) if as_json else _audit_words(found))
    sys.exit(0 if found["verified"] else 1)


def _audit_words(found: dict[str, object]) -> str:
    if found["verified"]:
        return f"{found['rows']} rows, all as they were written."
    return f"Altered, first at row {found['first_bad_row']}."


@outbox_commands.command("replay")
@click.option("--id", "message_id", type=click.UUID, help="One message; all without it.")
@click.option("--json", "as_json", is_flag=True)
def outbox_replay(message_id: UUID | None, *, as_json: bool) -> None:
    """Make work that was given up due again."""
    replayed = outbox.replay(message_id)
    click.echo(json.dumps({"replayed": replayed}) if as_json else f"{replayed} due again.")
    sys.exit(1 if message_id is not None and replayed == 0 else 0)


def register(app: Flask) -> None:
    """Attach the commands."""
    Migrate(app, db, directory=str(Path(__file__).parent / "migrations"))
    for command in (
        seed_commands,
        staff_commands,
        token_commands,
        audit_commands,
        outbox_commands,
        print_state,
        reconcile,
    ):
        app.cli.add_command(command)


def main() -> None:
    """Run `booking`."""
    from booking_service.app import create_app  # noqa: PLC0415  # which imports this module

    try:
        FlaskGroup(create_app=create_app, name="booking")()
    except (ConfigError, BookingServiceError) as error:
        sys.exit(f"booking: {error}")
