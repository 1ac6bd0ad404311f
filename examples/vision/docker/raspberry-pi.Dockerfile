# An agent on a Raspberry Pi 4 or 5 with a 64-bit system. On the device, from the top of the clone:
#   docker build -f examples/vision/docker/raspberry-pi.Dockerfile -t edgerig-agent .
FROM python:3.11-slim-bookworm AS build
COPY . /src
RUN python -m venv /opt/edgerig \
    && /opt/edgerig/bin/pip install --no-cache-dir "/src[onnx]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/edgerig /opt/edgerig
ENV PATH=/opt/edgerig/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EDGERIG_CACHE=/tmp/edgerig
RUN useradd --uid 10001 --no-create-home edgerig
USER 10001
EXPOSE 7433
ENTRYPOINT ["edgerig", "agent"]
CMD ["--listen", "0.0.0.0:7433", "--token-file", "/run/secrets/edgerig/token"]
