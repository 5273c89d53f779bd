# The server in a container, for linux/amd64 and linux/arm64; docs/deploy.md says how it is deployed.

# LiveKit's WebRTC and ONNX Runtime are built for glibc.
ARG BASE_IMAGE=debian:bookworm-slim
# An image with Deno at /deno.
ARG DENO_IMAGE=denoland/deno:bin-2.9.6

FROM ${DENO_IMAGE} AS deno

FROM ${BASE_IMAGE} AS base
COPY --from=deno /deno /usr/local/bin/deno
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 DENO_TLS_CA_STORE=system,mozilla
WORKDIR /app

FROM base AS build
RUN test -e /etc/ssl/certs/ca-certificates.crt || \
    (apt-get update && apt-get install -y --no-install-recommends ca-certificates)
# The packages are a layer of their own, which a change of the source leaves as it is.
COPY deno.json deno.lock package.json ./
# Left out is what the server never reads. Of each package stay its licence, and what Deno looks at when it starts: the
# package.json and, beside its node_modules, .initialized, without which it would lay the package out anew.
RUN deno install --frozen --quiet && \
    case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) exit 1 ;; esac && \
    cd node_modules/.deno && \
    # ONNX Runtime for other platforms,
    (cd onnxruntime-node@*/node_modules/onnxruntime-node/bin/napi-v* && \
      find . -mindepth 2 -maxdepth 2 -type d ! -path "./linux/$arch" -exec rm -r {} + && \
      cd "linux/$arch" && ln -sf libonnxruntime.so.1.* libonnxruntime.so.1) && \
    # what only browsers, tests, installers and another libc use,
    find */node_modules/onnxruntime-web */node_modules/protobufjs */node_modules/rxjs \
      */node_modules/webrtc-adapter */node_modules/playwright-core */node_modules/fast-check */node_modules/tar \
      */node_modules/@copilotkit/aimock */node_modules/@types */node_modules/@img/sharp-*linuxmusl-* \
      -type f ! -name package.json ! -iname '*licen[sc]e*' -delete && \
    # of what the pages are served all but the files that they ask for,
    find */node_modules/@ricky0123/vad-web */node_modules/livekit-client */node_modules/swagger-ui-dist -type f \
      ! -name silero_vad_v6.onnx ! -name livekit-client.umd.js \
      ! -name swagger-ui.css ! -name swagger-ui-bundle.js ! -name favicon-32x32.png \
      ! -name package.json ! -iname '*licen[sc]e*' ! -iname 'notice*' -delete && \
    # other forms of packages, and other encodings of the tokenizer,
    rm -rf */node_modules/@deepgram/sdk/dist/browser */node_modules/@deepgram/sdk/dist/cjs \
      */node_modules/@livekit/protocol/src */node_modules/@modelcontextprotocol/sdk/dist/cjs \
      */node_modules/gpt-tokenizer/cjs */node_modules/gpt-tokenizer/data */node_modules/gpt-tokenizer/src \
      */node_modules/gpt-tokenizer/esm/bpeRanks/*50k_base.js */node_modules/hono/dist/cjs \
      */node_modules/n2words/dist */node_modules/sharp/src && \
    find */node_modules/openai -name '*.js' ! -path '*/internal/*' -delete && \
    # and what types, debuggers, tests and people read.
    find . -type d \( -name test -o -name tests -o -name __snapshots__ -o -name .nyc_output -o -name .github \
      -o -name docs -o -name examples -o -name benchmarks \) -prune -exec rm -r {} + && \
    find . -type f \( -name '*.map' -o -name '*.[cm]ts' -o -name '*.ts' -o -iname 'changelog*' \) -delete && \
    find . -depth -type d -empty -delete
COPY main.ts server.ts LICENSE ./
COPY src src
COPY routes routes
COPY agents agents
# Compiles the TypeScript, so that a machine that starts need not.
RUN deno cache --frozen --quiet main.ts && find /deno-dir -mindepth 1 -maxdepth 1 ! -name gen -exec rm -r {} +

FROM base
# LiveKit's WebRTC trusts the authorities that the system knows.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /app/node_modules node_modules
COPY --from=build /deno-dir /deno-dir
COPY --from=build /app/deno.json /app/deno.lock /app/package.json /app/main.ts /app/server.ts /app/LICENSE ./
COPY --from=build /app/src src
COPY --from=build /app/routes routes
COPY --from=build /app/agents agents
RUN useradd --system --uid 10001 --no-create-home repartee && install -d -o repartee .models recordings state
USER repartee
ENV NODE_ENV=production RUST_LOG=off MALLOC_ARENA_MAX=2 HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r answer <&3 && [[ $answer == *' 200 '* ]]"]
# The command of `deno task start`, without the task runner, so that the process itself gets the signals; and packages
# are taken from the image alone.
CMD ["deno", "run", "--cached-only", "--v8-flags=--max-semi-space-size=8,--no-parallel-scavenge", "--no-prompt", \
  "--allow-net", "--allow-run=deno", "--allow-env", "--allow-read=.", "--allow-write=.models,recordings,state", "--allow-ffi=./node_modules", \
  "--allow-sys=cpus,hostname,networkInterfaces,systemMemoryInfo", "main.ts"]
