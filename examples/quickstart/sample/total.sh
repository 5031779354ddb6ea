#!/usr/bin/env bash
# Prints the sum of the prices in a file, in cents.
set -euo pipefail

total=0
while IFS=, read -r _ cents; do
  total=$((total + cents))
done < "$1"
echo "$total"
