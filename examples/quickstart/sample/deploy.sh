#!/usr/bin/env bash
# Writes the page that a real project would copy to its server. Runs on branch main only.
set -euo pipefail
cd "$(dirname "$0")"

mkdir -p build/site
printf '<h1>%s</h1>\n<p>%s</p>\n' "${SHOP_GREETING:?is a secret of the project}" "$(./total.sh build/prices.csv)" \
  > build/site/index.html
echo "deployed $(wc -c < build/site/index.html) bytes"
