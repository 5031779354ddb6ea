# API and runner for a container platform; the command is `api` or `runner`. Needs no disk that can be written to.
FROM node:24-bookworm-slim AS packages
WORKDIR /ebb
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
# Amazon signs the certificates of its databases itself.
ADD --chmod=0644 https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /etc/ssl/certs/rds-global-bundle.pem
WORKDIR /ebb
COPY --from=packages /ebb/node_modules node_modules
COPY package.json ./
COPY api api
COPY cli cli
COPY contract contract
COPY queue queue
COPY runner runner
COPY provider provider
COPY setup setup
USER 1000:1000
ENTRYPOINT ["/ebb/cli/ebb"]
