"""The demo practice: what `services.demo` writes down. Nothing in it is a secret."""

from typing import Any, Final, NamedTuple

from booking_service.models import Role
from booking_service.models.timetable import Shift

PRACTICE: Final[dict[str, Any]] = {
    "name": "Alder Chiropractic",
    "short_name": "Alder",
    "phone": "+15185550142",
    "email": "hello@alder.example",
    "street": "214 Mill Street, Suite 2",
    "city": "Albany NY",
    "directions": "Parking behind the building, step-free entrance.",
    "directions_es": "Estacionamiento detrás del edificio, entrada sin escalones.",
    "timezone": "America/New_York",
    "visit_minutes": 45,
    "grid_minutes": 20,
    "lead_minutes": 120,
    "horizon_days": 28,
    "cutoff_hours": 24,
}

_MON, _TUE, _WED, _THU, _FRI, _SAT = range(6)


def _shifts(weekday: int, *spans: str) -> list[Shift]:
    """Read spans like "8:00-12:10" of one weekday."""
    ends = [[_minute(text) for text in span.split("-")] for span in spans]
    return [Shift(weekday, opens, closes) for opens, closes in ends]


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


class Person(NamedTuple):
    """Somebody patients can book, with a week that leaves time for lunch."""

    name: str
    room: str
    week: list[Shift]


PRACTITIONERS: Final = (
    Person(
        "Dr. Maya Okafor",
        "Room 1",
        [
            *_shifts(_MON, "8:00-12:10", "13:10-15:30"),
            *_shifts(_TUE, "8:00-12:10", "13:10-15:30"),
            *_shifts(_WED, "8:00-12:10", "13:10-15:30"),
            *_shifts(_THU, "10:00-13:00", "14:00-18:30"),
        ],
    ),
    Person(
        "Dr. Tom Reyes",
        "Room 2",
        [
            *_shifts(_MON, "8:30-12:00", "13:10-16:00"),
            *_shifts(_TUE, "11:10-14:10", "15:10-19:00"),
            *_shifts(_WED, "8:30-12:00", "13:10-16:00"),
            *_shifts(_FRI, "8:30-12:00", "13:10-16:00"),
        ],
    ),
    Person(
        "Dr. Lena Park",
        "Room 3",
        [
            *_shifts(_MON, "8:00-12:00", "13:00-16:00"),
            *_shifts(_WED, "8:00-12:00", "13:00-16:00"),
            *_shifts(_THU, "8:00-12:00", "13:00-16:00"),
            *_shifts(_FRI, "8:00-12:00", "13:00-16:00"),
            *_shifts(_SAT, "9:00-12:40"),
        ],
    ),
)

CLOSURE_REASON: Final = "Closed for Thanksgiving"

PRICE_CENTS: Final = 3900
CURRENCY: Final = "usd"
INCLUDES: Final = ("Exam", "Consultation", "Total-spinal adjustment")
PROMISE: Final = (
    "Refunded in full if you become a member and begin treatment at this visit. "
    "If you decide not to, the visit is yours and you owe nothing more."
)
TERMS: Final = """\
First-visit and refund terms, version 1
Sample text. It needs review by the practice's counsel before it is used with patients.

1. Your first visit costs $39.00. It includes an exam, a consultation and a total-spinal adjustment.
2. You get all of the $39.00 back if, during that visit, you become a member and begin treatment
   under your membership plan. The adjustment that is part of the first visit does not count as
   beginning treatment. Becoming a member counts once its first payment has gone through.
3. The refund is sent by itself, to the card you paid with. Banks usually show it within 5 to 10
   business days. If it cannot be returned to that card, we will pay you another way.
4. Membership is your choice. There is no charge for saying no.
5. Cancel or move your visit up to 24 hours before it starts for a full refund. Later than that, or
   if you do not come, the payment is kept.
6. The offer is for people who are new to the practice.
"""

INCLUDES_ES: Final = ("Examen", "Consulta", "Ajuste de toda la columna")
PROMISE_ES: Final = (
    "Se reembolsa por completo si usted se hace miembro y comienza el tratamiento en esta visita. "
    "Si decide que no, la visita es suya y no debe nada más."
)
TERMS_ES: Final = """\
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


AGREEMENT: Final = """\
Membership agreement, version 1
Sample text. It needs review by the practice's counsel before it is used with patients.

1. You join the plan you choose on this page. Its price and its visits a month stand beside its
   name.
2. Signing charges nothing. The front desk starts the membership with you, and the first month is
   charged then. After that the plan's price is charged each month on the same day.
3. A plan's visits are for the month they belong to. Visits you do not use are not paid back.
4. You can cancel at any time, by replying to one of our emails or by calling us. Nothing is charged
   after that, and you can use your visits until the end of the month you have paid for.
5. If a payment does not go through, we will ask you for another card. We do not charge more than
   the plan's price.
6. We tell you 30 days before a price or a plan changes. You can cancel before the change.
7. What happens to the price of your first visit is in the first-visit and refund terms.
8. Membership is your choice. It is not insurance, and no care depends on it.
"""

AGREEMENT_ES: Final = """\
Acuerdo de membresía, versión 1
Texto de muestra. Los asesores legales de la clínica deben revisarlo antes de usarlo con pacientes.

1. Usted se une al plan que elige en esta página. Su precio y sus visitas al mes están junto a su
   nombre.
2. Firmar no cobra nada. La recepción comienza la membresía junto con usted, y entonces se cobra el
   primer mes. Después, el precio del plan se cobra cada mes, el mismo día.
3. Las visitas de un plan son para el mes al que pertenecen. Las visitas que usted no use no se
   reembolsan.
4. Puede cancelar en cualquier momento, respondiendo a uno de nuestros correos o llamándonos.
   Después no se cobra nada, y puede usar sus visitas hasta el final del mes que ya pagó.
5. Si un pago no se realiza, le pediremos otra tarjeta. No cobramos más que el precio del plan.
6. Le avisamos 30 días antes de que cambie un precio o un plan. Puede cancelar antes del cambio.
7. Lo que pasa con el precio de su primera visita está en los términos de la primera visita y del
   reembolso.
8. La membresía es decisión suya. No es un seguro, y ninguna atención depende de ella.
"""


class Sold(NamedTuple):
    """A membership plan, by the month."""

    name: str
    price_cents: int
    visits_a_month: int


PLANS: Final = (
    Sold("Wellness", 7900, 2),
    Sold("Corrective", 14900, 4),
    Sold("Family", 22900, 6),
)


class Member(NamedTuple):
    """Somebody who can sign in to the demo."""

    email: str
    name: str
    role: Role


STAFF: Final = (
    Member("priya@alder.example", "Priya Shah", Role.FRONT_DESK),
    Member("ana@alder.example", "Ana Ruiz", Role.FINANCE),
    Member("owner@alder.example", "Sam Alder", Role.ADMIN),
)
