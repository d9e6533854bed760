# Chaffinch's image: the supervisor is the entrypoint and PID 1, as an ordinary user, with one writable folder.
# RabbitMQ is not in it: set broker.url (docker-compose.yml shows how).

FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        libcurl4-openssl-dev libpcre2-dev libpq-dev librabbitmq-dev libsimdjson-dev libsqlite3-dev libvectorscan-dev libyaml-dev \
        pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build --configuration release --product chaffinch --static-swift-stdlib \
    && install -D --strip "$(swift build --configuration release --show-bin-path)/chaffinch" /out/chaffinch

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libpcre2-8-0 libpq5 librabbitmq4 libsimdjson14 libsqlite3-0 libstdc++6 libvectorscan5 \
        libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /chaffinch --no-create-home chaffinch \
    && install -d -o chaffinch -g chaffinch -m 0700 /chaffinch/data
COPY --from=build /out/chaffinch /usr/local/bin/chaffinch
COPY pipeline.yaml /chaffinch/pipeline.yaml
COPY parsers /chaffinch/parsers
WORKDIR /chaffinch
USER chaffinch
VOLUME /chaffinch/data
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["chaffinch", "status", "--live"]
ENTRYPOINT ["chaffinch", "supervisor"]
