"""Money is an integer number of US cents everywhere; it becomes text only here."""


def dollars(cents: int) -> str:
    """Format cents for people: 3900 is "$39.00" and -3900 is "-$39.00"."""
    sign = "-" if cents < 0 else ""
    whole, part = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{part:02}"


def headline(cents: int) -> str:
    """Format cents for a headline, without empty cents: 3900 is "$39"."""
    return dollars(cents).removesuffix(".00")
