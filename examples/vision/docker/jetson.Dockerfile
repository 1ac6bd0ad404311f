# An agent on a Jetson: LiteRT and ONNX Runtime on its CPU. On the device, from the top of the clone:
#   docker build -f examples/vision/docker/jetson.Dockerfile -t edgerig-agent .
# The image brings a C library that LiteRT's wheels need (2.34), which JetPack 4 and 5 lack. For the GPU install the
# engine that JetPack brings on the system itself: docs/devices.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY . /src
RUN python -m venv /opt/edgerig \
    && /opt/edgerig/bin/pip install --no-cache-dir "/src[onnx]"

FROM ${BASE}
COPY --from=build /opt/edgerig /opt/edgerig
ENV PATH=/opt/edgerig/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EDGERIG_CACHE=/tmp/edgerig
RUN useradd --uid 10001 --no-create-home edgerig
USER 10001
EXPOSE 7433
ENTRYPOINT ["edgerig", "agent"]
CMD ["--listen", "0.0.0.0:7433", "--token-file", "/run/secrets/edgerig/token"]
