# Both bases are arguments, so that the image can be built from a mirror or a local base. No `# syntax=` line, for the
# same reason: with one, BuildKit takes its frontend from Docker Hub.
ARG BUILD_BASE=docker.io/library/rust:1.95.0-slim-bookworm
ARG RUN_BASE=docker.io/library/debian:bookworm-slim

FROM ${BUILD_BASE} AS build
# What RocksDB's build needs: a C++ compiler, make, and libclang for bindgen.
RUN apt-get update && apt-get install -y --no-install-recommends g++ make libclang-dev && rm -rf /var/lib/apt/lists/*
# The base is the pinned toolchain already; rust-toolchain.toml would also fetch clippy and rustfmt.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p attestry -p attestry-registry && \
    mkdir -p /out && \
    for program in attestry attestry-registry; do \
        strip -o "/out/$program" "${CARGO_TARGET_DIR:-target}/release/$program" || exit 1; \
    done

FROM ${RUN_BASE}
LABEL org.opencontainers.image.title="Attestry" \
      org.opencontainers.image.description="Artifact signing and provenance registry" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/attestry /out/attestry-registry /usr/local/bin/
COPY LICENSE /usr/share/doc/attestry/LICENSE
# The build fails here if the base lacks a library that a program links. A new named volume takes over the owner of /data.
RUN attestry --version && attestry-registry --version && mkdir /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["attestry-registry", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["attestry-registry"]
# The data directory must have been made by `init`, once; docker-compose.yml shows how.
CMD ["serve", "--data", "/data/registry", "--listen", "0.0.0.0:8080"]
