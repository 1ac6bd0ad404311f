# Training, compiling and workflows. From the top of the clone:
#   docker build -f examples/vision/docker/workstation.Dockerfile -t edgerig-workstation .
FROM python:3.12-slim-bookworm AS build
COPY . /src
RUN python -m venv /opt/edgerig \
    && /opt/edgerig/bin/pip install --no-cache-dir "/src[all,store]"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/edgerig /opt/edgerig
# The example's workflow and pictures; put your own in their place.
COPY examples/vision /workflow/examples/vision
ENV PATH=/opt/edgerig/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EDGERIG_CACHE=/work/cache
RUN useradd --uid 10001 --create-home edgerig \
    && mkdir -p /work && chown edgerig /work
USER 10001
WORKDIR /work
ENTRYPOINT ["edgerig"]
CMD ["workflow", "run", "/workflow/examples/vision/workflow.yaml"]
