#!/bin/sh
# The start of `npm run demo` and `npm test` on a machine that has only git, npm and some Node.js:
# npm packages first (Node.js 24 is one of them), then TypeScript takes over.
set -eu
cd "$(dirname "$0")/.."

stamp=node_modules/.ebb-installed
lock=$(cksum <package-lock.json)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
  echo "ebb: installing npm packages; the first time this takes about half a minute"
  npm ci --loglevel=error
  printf '%s\n' "$lock" >"$stamp"
fi

# Packages bring Node.js 24 for Linux and Intel macOS; elsewhere the one that is installed must do.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 24 ]; then
  echo "ebb: Node.js 24 is needed on this kind of machine, but $(node --version) is installed: https://nodejs.org" >&2
  exit 1
fi
exec node setup/main.ts "$@"
