"""What the demo tells the person who started it."""

import sys
from collections.abc import Mapping
from typing import Any


def print_welcome(content: Mapping[str, Any], seconds: float) -> None:
    """Print every address and every way to sign in.

    Args:
        content: of demo.json.
        seconds: how long the start took.
    """
    lines = [
        "",
        f"First Visit is running (ready in {seconds:.1f} s)",
        "",
        f"  Patients   {content['web']}/",
        f"  Staff      {content['web']}/sign-in",
        f"  API        {content['web']}/api/v1/docs",
        f"  Stripe     {content['stripe']}  (pretend)" if "127.0.0.1" in content["stripe"] else "",
        f"  Mail       {content['mail']}" if content["mail"] else "",
        "",
        "Sign in as",
        *(f"  {_staff(member)}" for member in content["staff"]),
        "",
        "API tokens",
        *(f"  {scope:<11} {token}" for scope, token in content["api_tokens"].items()),
        "",
        "Ctrl-C stops everything; the next start keeps the data.",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _staff(member: Mapping[str, str]) -> str:
    line = f"{member['role']:<11} {member['email']}   password {member['password']}"
    second = member.get("totp_secret")
    return f"{line}   authenticator key {second}" if second else line
