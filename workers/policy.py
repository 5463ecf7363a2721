"""How Celery and Redis are used. Apart from the application: a health check needs no more."""

from datetime import timedelta
from typing import Any, Final

from booking_service.config import Settings

_BALANCE_EVERY: Final = timedelta(minutes=15)
QUEUES: Final = {
    "refunds": "money",
    "memberships": "money",
    "webhooks": "webhooks",
    "notifications": "mail",
    "holds": "periodic",
    "checkout": "periodic",
    "choices": "periodic",
    "promises": "periodic",
    "waitlist": "periodic",
    "reconciliation": "periodic",
}


def queue_of(task: str) -> str:
    """Return the queue a task waits in, by the word its name begins with."""
    return QUEUES[task.partition(".")[0]]


def policy(settings: Settings) -> dict[str, Any]:
    """Return Celery's configuration: each line answers one of its known ways to lose work."""
    visibility = int(settings.celery_visibility_timeout.total_seconds())
    return {
        "broker_url": settings.redis_url,
        "imports": [f"workers.{word}" for word in sorted({*QUEUES})],
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": 60,
        "task_soft_time_limit": 45,
        "task_publish_retry_policy": {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_max_tasks_per_child": 1000,
        "worker_soft_shutdown_timeout": 30,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_acquire_timeout": 2,
        "broker_transport_options": {
            "visibility_timeout": visibility,
            "unacked_restore_interval": settings.celery_restore_interval.total_seconds(),
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": False,
            "global_keyprefix": "first_visit:",
        },
        "visibility_timeout": visibility,
        "timezone": "UTC",
        "beat_schedule": _schedule(settings),
    }


def _schedule(settings: Settings) -> dict[str, Any]:
    """Return what beat rings for, and how often."""
    minute = settings.reminder_sweep
    rings = {
        "let lapsed holds go": ("holds.sweep", settings.hold_sweep),
        "ask about forgotten payment pages": ("checkout.sweep", minute),
        "send back what nobody chose a time for": ("choices.sweep", minute),
        "fetch undelivered events": ("webhooks.sweep", minute),
        "let promises of past days lapse": ("promises.sweep", minute),
        "end memberships nobody paid for": ("memberships.sweep", minute),
        "ask what Stripe has for refunds": ("reconciliation.balance", _BALANCE_EVERY),
        "offer times that opened": ("waitlist.sweep", minute),
        "remind patients of their visits": ("notifications.remind", minute),
        "forget who asked for a link": ("notifications.forget", minute),
        "compare the books": ("reconciliation.nightly", settings.reconcile_interval),
    }
    return {
        why: {"task": task, "schedule": every.total_seconds(), "options": _each(every)}
        for why, (task, every) in rings.items()
    }


def _each(every: timedelta) -> dict[str, Any]:
    """A sweep nobody took in time is not worth catching up: the next one looks at everything."""
    return {"queue": "periodic", "expires": max(every.total_seconds() * 2, 10)}
