# One image for every process; docker-compose.yml says which one a container runs.
FROM python:3.11-slim AS packages

# What the service itself needs, in the versions and with the hashes of the lock file.
WORKDIR /build
COPY pyproject.toml requirements.lock ./
RUN awk '/^uv==/,!/\\$/' requirements.lock > uv.lock \
 && pip install --no-cache-dir --require-hashes --requirement uv.lock \
 && python -m venv --without-pip /venv \
 && uv pip install --no-cache --compile-bytecode --python /venv/bin/python \
      --requirement pyproject.toml --constraint requirements.lock

FROM python:3.11-slim

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin booking \
 && printf '#!/bin/sh\nexec python -P -c "import sys; from booking_service.cli import main; sys.exit(main())" "$@"\n' \
      > /usr/local/bin/booking \
 && chmod 755 /usr/local/bin/booking
COPY --from=packages /venv /venv
WORKDIR /app
COPY booking_service booking_service
COPY workers workers
COPY templates templates
# REMAP_SIGTERM: Celery then ends within its soft shutdown time, whatever its tasks do.
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    REMAP_SIGTERM=SIGQUIT
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=20s --start-period=30s --retries=3 \
    CMD ["python", "-m", "booking_service.local.health", "web"]
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--workers", "2", "--no-control-socket", "--preload", "--graceful-timeout", "25", "booking_service:create_app()"]
