# A static binary on an image that holds nothing else. Build from the repository's root:
#
#   docker build -t sharedkey-operator .

FROM rust:1.95-alpine AS build
# aws-lc-sys is C: it needs a compiler, make and cmake at build time and nothing at run time.
RUN apk add --no-cache build-base cmake perl linux-headers
WORKDIR /src
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY crates crates
COPY tests/harness tests/harness
COPY tests/e2e tests/e2e
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN cargo build --locked --release -p sharedkey-operator \
    && install -D target/release/sharedkey-operator /out/sharedkey-operator

# Root certificates come with it; there is no shell, no package manager and no root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/sharedkey-operator /sharedkey-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/sharedkey-operator"]
