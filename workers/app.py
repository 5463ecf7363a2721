"""The Celery application. Run with `celery --app workers.app worker`, and `... beat`.

Celery and Redis are only the doorbell: what is owed stands in the outbox, and is rung again until
it is done. So nothing here retries, keeps results, or counts on a message to arrive.
"""

from celery import Celery, Task
from flask import Flask, current_app

from booking_service.app import create_app
from booking_service.config import Settings
from booking_service.gateways.stripe import StripeGateway
from workers.policy import policy


def create_celery(app: Flask) -> Celery:
    """Bind Celery to a Flask app, so that every task runs inside an application context."""

    class ContextTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    settings: Settings = app.extensions["settings"]
    # Nobody is waiting: a slow answer of Stripe is better than asking twice.
    app.extensions["gateway"] = StripeGateway(settings, settings.stripe_timeout)
    celery = Celery("workers", task_cls=ContextTask)
    celery.conf.update(policy(settings))
    celery.set_default()
    return celery


def gateway() -> StripeGateway:
    """Return the processor, as tasks use it."""
    adapter: StripeGateway = current_app.extensions["gateway"]
    return adapter


def __getattr__(name: str) -> Celery:
    """Build the app when Celery's command line asks for `workers.app.celery`, not on import."""
    if name == "celery":
        return create_celery(create_app(is_called=False))
    raise AttributeError(name)
