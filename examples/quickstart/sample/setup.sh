#!/usr/bin/env bash
# Prepares the build folder: what every other script reads.
set -euo pipefail
cd "$(dirname "$0")"

mkdir -p build
sort prices.csv > build/prices.csv
echo "prepared $(wc -l < build/prices.csv) prices"
