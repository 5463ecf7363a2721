"""Speak Spanish with patients, too.

An offer, and how one gets into the practice, can be said in Spanish; what a patient agreed to is
kept with its language; and a patient has one of the languages there are.

Locks: ACCESS EXCLUSIVE on four tables, each for milliseconds; the new check scans patients.
Data: the sample offer gets its Spanish texts. Another offer stays English for everybody until its
next version: nobody but the practice can say its terms in Spanish. Every acceptance so far was of an
English text. A patient's language loses its country; one we do not speak becomes English.
"""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_SAMPLE = "a881edde5a7f340ac3ec2cf1c510e9d88b45debb075218289261568d9acaaa9b"  # its terms' hash
_DIRECTIONS = "Estacionamiento detrás del edificio, entrada sin escalones."
_INCLUDES = ["Examen", "Consulta", "Ajuste de toda la columna"]
_PROMISE = (
    "Se reembolsa por completo si usted se hace miembro y comienza el tratamiento en esta visita. "
    "Si decide que no, la visita es suya y no debe nada más."
)
_TERMS = """\
Términos de la primera visita y del reembolso, versión 1
Texto de muestra. Los asesores legales de la clínica deben revisarlo antes de usarlo con pacientes.

1. Su primera visita cuesta $39.00. Incluye un examen, una consulta y un ajuste de toda la columna.
2. Usted recibe de vuelta la totalidad de los $39.00 si, durante esa visita, se hace miembro y
   comienza el tratamiento de su plan de membresía. El ajuste que forma parte de la primera visita
   no cuenta como comienzo del tratamiento. Hacerse miembro cuenta cuando se ha recibido el primer
   pago de la membresía.
3. El reembolso se envía solo, a la tarjeta con la que usted pagó. Los bancos suelen mostrarlo en 5
   a 10 días hábiles. Si no se puede devolver a esa tarjeta, le pagaremos de otra manera.
4. La membresía es decisión suya. No cuesta nada decir que no.
5. Cancele o cambie su visita hasta 24 horas antes de que comience y recibirá un reembolso completo.
   Después de ese plazo, o si no viene, no hay reembolso.
6. La oferta es para personas que son nuevas en la clínica.
"""
_LANGUAGE = sa.Enum(
    "en", "es", name="language", native_enum=False, create_constraint=True, length=64
)


def upgrade() -> None:
    """Add the columns, and fill them."""
    op.add_column("offers", sa.Column("includes_es", postgresql.ARRAY(sa.TEXT()), nullable=True))
    op.add_column("offers", sa.Column("promise_es", sa.String(), nullable=True))
    op.add_column("offers", sa.Column("terms_es", sa.String(), nullable=True))
    op.add_column("offers", sa.Column("terms_hash_es", sa.String(), nullable=True))
    op.create_check_constraint(
        "spanish_is_whole",
        "offers",
        "num_nulls(includes_es, promise_es, terms_es, terms_hash_es) IN (0, 4)",
    )
    offers = sa.table(
        "offers",
        sa.column("terms_hash"),
        sa.column("includes_es", postgresql.ARRAY(sa.TEXT())),
        sa.column("promise_es"),
        sa.column("terms_es"),
        sa.column("terms_hash_es"),
    )
    op.execute(
        offers.update()
        .where(offers.c.terms_hash == _SAMPLE)
        .values(
            includes_es=_INCLUDES,
            promise_es=_PROMISE,
            terms_es=_TERMS,
            terms_hash_es=hashlib.sha256(_TERMS.encode()).hexdigest(),
        )
    )
    op.add_column("practices", sa.Column("directions_es", sa.String(), nullable=True))
    practices = sa.table("practices", sa.column("directions"), sa.column("directions_es"))
    sample = practices.c.directions == "Parking behind the building, step-free entrance."
    op.execute(practices.update().where(sample).values(directions_es=_DIRECTIONS))
    op.add_column(
        "terms_acceptances",
        sa.Column("language", _LANGUAGE, nullable=False, server_default="en"),
    )
    op.alter_column("terms_acceptances", "language", server_default=None)
    op.execute(
        "UPDATE patients SET locale = CASE left(locale, 2) WHEN 'es' THEN 'es' ELSE 'en' END"
    )
    op.alter_column("patients", "locale", type_=sa.String(64))
    op.create_check_constraint("language", "patients", "locale IN ('en', 'es')")


def downgrade() -> None:
    """Take them away; the language of each acceptance is lost with its column."""
    op.drop_constraint("language", "patients", type_="check")
    op.alter_column("patients", "locale", type_=sa.String())
    op.drop_column("terms_acceptances", "language")
    op.drop_column("practices", "directions_es")
    op.drop_constraint("spanish_is_whole", "offers", type_="check")
    op.drop_column("offers", "terms_hash_es")
    op.drop_column("offers", "terms_es")
    op.drop_column("offers", "promise_es")
    op.drop_column("offers", "includes_es")
