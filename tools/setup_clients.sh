#!/usr/bin/env bash
# Installs the clients of the API that tests/clients asks the server with. Does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")/../tests/clients"
[ -f node_modules/.package-lock.json ] && [ node_modules/.package-lock.json -nt package-lock.json ] && exit 0
npm ci --loglevel=error
touch node_modules/.package-lock.json
