# One image for migrate, api, worker and beat. Built with the same script and lock as `make setup`.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY pyproject.toml requirements.lock ./
COPY .ci/setup .ci/setup
RUN bash .ci/setup

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 banjie \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/banjie --shell /usr/sbin/nologin banjie \
 && install -d -o banjie -g banjie -m 0700 /var/lib/banjie
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BANJIE_HOME=/var/lib/banjie \
    BANJIE_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY pyproject.toml LICENSE ./
COPY engine engine
COPY workflows workflows
COPY adapters adapters
COPY api api
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "api"]
