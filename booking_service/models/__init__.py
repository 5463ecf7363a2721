"""The schema: one file for each thing the practice has a word for."""

from booking_service.models.agreements import (
    NEWEST_AGREEMENT,
    AgreementSignature,
    AgreementVersion,
    SignedHow,
    SigningWindow,
    current_signature,
    has_started,
    signing_window,
)
from booking_service.models.allowances import COUNTED, Allowance, is_covered
from booking_service.models.attempts import Attempt
from booking_service.models.audit import Actor, ActorKind, AuditLink, AuditRow
from booking_service.models.bookings import LIVE, VISITING, Booking, BookingKind, BookingStatus
from booking_service.models.case_rules import Subject, objection
from booking_service.models.cases import ACTIONS, Case, CaseAction, CaseStatus, CaseType
from booking_service.models.desk_counts import DeskCount
from booking_service.models.disputes import BLOCKING, Dispute, DisputeStatus
from booking_service.models.idempotency import IdempotentAnswer
from booking_service.models.ledger import Account, EntryKind, JournalEntry, JournalLine
from booking_service.models.membership_changes import ChangeKind, MembershipChange
from booking_service.models.memberships import ChargeStatus, Membership, MembershipStatus, Tender
from booking_service.models.notifications import Channel, Notification, NotificationStatus
from booking_service.models.offers import ON_SALE, Offer, Plan
from booking_service.models.outbox import OutboxMessage, Topic
from booking_service.models.patients import Patient, name_key
from booking_service.models.payments import Payment, PaymentStatus, PaymentTender
from booking_service.models.practice import Practice
from booking_service.models.promises import Promise, PromiseStatus, TermsAcceptance
from booking_service.models.reconciliation import (
    Discrepancy,
    DiscrepancyKind,
    Payout,
    ReconciliationRun,
    StripeBalance,
    StripeMovement,
)
from booking_service.models.refunds import AT_REST, OWED, Refund, RefundReason, RefundStatus
from booking_service.models.reminders import Reminder
from booking_service.models.schedule import (
    Practitioner,
    TimeOff,
    TimetableVersion,
    WorkingHours,
)
from booking_service.models.settlements import Settlement, SettlementMethod, takes_two
from booking_service.models.staff import ApiToken, Role, StaffMember, StaffSession, StationPerson
from booking_service.models.texts import NAMES_THE_AGREEMENT, TEXT_CONSENT_VERSION, TextStop
from booking_service.models.visit_links import LinkRequest
from booking_service.models.visit_notes import LONGEST_NOTE, VisitNote
from booking_service.models.waitlist import FreedTime, WaitlistEntry, WaitlistOffer
from booking_service.models.webhooks import WebhookEvent

__all__ = [
    "ACTIONS",
    "AT_REST",
    "BLOCKING",
    "COUNTED",
    "LIVE",
    "LONGEST_NOTE",
    "NAMES_THE_AGREEMENT",
    "NEWEST_AGREEMENT",
    "ON_SALE",
    "OWED",
    "TEXT_CONSENT_VERSION",
    "VISITING",
    "Account",
    "Actor",
    "ActorKind",
    "AgreementSignature",
    "AgreementVersion",
    "Allowance",
    "ApiToken",
    "Attempt",
    "AuditLink",
    "AuditRow",
    "Booking",
    "BookingKind",
    "BookingStatus",
    "Case",
    "CaseAction",
    "CaseStatus",
    "CaseType",
    "ChangeKind",
    "Channel",
    "ChargeStatus",
    "DeskCount",
    "Discrepancy",
    "DiscrepancyKind",
    "Dispute",
    "DisputeStatus",
    "EntryKind",
    "FreedTime",
    "IdempotentAnswer",
    "JournalEntry",
    "JournalLine",
    "LinkRequest",
    "Membership",
    "MembershipChange",
    "MembershipStatus",
    "Notification",
    "NotificationStatus",
    "Offer",
    "OutboxMessage",
    "Patient",
    "Payment",
    "PaymentStatus",
    "PaymentTender",
    "Payout",
    "Plan",
    "Practice",
    "Practitioner",
    "Promise",
    "PromiseStatus",
    "ReconciliationRun",
    "Refund",
    "RefundReason",
    "RefundStatus",
    "Reminder",
    "Role",
    "Settlement",
    "SettlementMethod",
    "SignedHow",
    "SigningWindow",
    "StaffMember",
    "StaffSession",
    "StationPerson",
    "StripeBalance",
    "StripeMovement",
    "Subject",
    "Tender",
    "TermsAcceptance",
    "TextStop",
    "TimeOff",
    "TimetableVersion",
    "Topic",
    "VisitNote",
    "WaitlistEntry",
    "WaitlistOffer",
    "WebhookEvent",
    "WorkingHours",
    "current_signature",
    "has_started",
    "is_covered",
    "name_key",
    "objection",
    "signing_window",
    "takes_two",
]
