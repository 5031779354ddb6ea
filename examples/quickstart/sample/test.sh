#!/usr/bin/env bash
# Checks the sum, and that the build has its variable and its secret.
set -euo pipefail
cd "$(dirname "$0")"

wanted=6520
found=$(./total.sh build/prices.csv)
if [ "$found" != "$wanted" ]; then
  echo "the total is $found, but it must be $wanted" >&2
  exit 1
fi
echo "the total is right: $found ${SHOP_CURRENCY:?is set by the project} cents"
# The log shows asterisks in its place.
echo "the greeting is: ${SHOP_GREETING:?is a secret of the project}"
