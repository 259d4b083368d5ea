# The runtime image: this package, its jobs and all they import, the same digest in every environment.
# Environment images are built FROM it by digest (docs/runtime-image.md). Its build context is made by
# tools/runtime_image.py: wheels, each listed with its hash in requirements.txt, so the build needs no network.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
COPY wheelhouse/ /wheelhouse/
COPY requirements.txt /wheelhouse/
RUN python3 -m venv --copies /opt/mlops \
 && /opt/mlops/bin/python -m pip install --quiet --no-index --find-links=/wheelhouse --require-hashes --no-deps \
      --no-cache-dir --requirement /wheelhouse/requirements.txt

FROM ${BASE_IMAGE}
COPY --from=build /opt/mlops /opt/mlops
COPY app/ /app/

# Jobs write below /app/.mlops-config alone: mount a volume there and the rest can be read-only.
RUN mkdir /app/.mlops-config && chown 10001:10001 /app/.mlops-config
ENV PATH=/opt/mlops/bin:/app/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/app/.mlops-config \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/app/healthcheck.py"]
CMD ["mlops-config", "--help"]
