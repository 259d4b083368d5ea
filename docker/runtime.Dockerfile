# The runtime image: this package, its jobs and all they import, the same digest in every environment.
# Environment images are built FROM it by digest (docs/runtime-image.md). Its build context is made by
# tools/runtime_image.py: wheels, each listed with its hash in a requirements.txt, so the build needs no network.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS imported
COPY wheelhouse/ /wheelhouse/
RUN python3 -m venv --copies /opt/mlops \
 && /opt/mlops/bin/python -m pip install --quiet --no-index --find-links=/wheelhouse --require-hashes --no-deps \
      --no-cache-dir --no-compile --requirement /wheelhouse/requirements.txt \
 && /opt/mlops/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/mlops/lib \
 && echo /opt/mlops-config > "$(echo /opt/mlops/lib/python3.*/site-packages)/mlops-config.pth"

FROM imported AS own
COPY own/ /own/
RUN /opt/mlops/bin/python -m pip install --quiet --no-index --find-links=/own --require-hashes --no-deps \
      --no-cache-dir --target /opt/mlops-config --requirement /own/requirements.txt

# Two layers: the large one with what is imported stays the same until the lock changes.
FROM ${BASE_IMAGE}
COPY --from=imported /opt/mlops /opt/mlops
COPY --from=own /opt/mlops-config /opt/mlops-config
COPY app/ /app/

# Jobs write below .mlops-config, and where file:// URIs of the configuration say, such as build/ in the examples:
# with a volume on each the rest can be read-only. A new volume takes its owner from the folder in the image.
RUN mkdir /app/.mlops-config /app/build && chown 10001:10001 /app/.mlops-config /app/build
ENV PATH=/opt/mlops/bin:/opt/mlops-config/bin:/app/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/app/.mlops-config \
    TMPDIR=/app/.mlops-config \
    USER=mlops \
    GIT_PYTHON_REFRESH=quiet \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# /tmp may be read-only, the user has no entry in /etc/passwd, and there is no git for MLflow to look for.
WORKDIR /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/app/healthcheck.py"]
CMD ["mlops-config", "--help"]
