#!/usr/bin/env bash
# Installs Chromium for the browser tests on Debian 12. Does nothing when one is there (or CHROMIUM names one).
set -euo pipefail
[ -n "${CHROMIUM:-}" ] && exit 0
command -v chromium >/dev/null && exit 0
run_as_root=()
[ "$(id -u)" -eq 0 ] || run_as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${run_as_root[@]}" apt-get update -qq
"${run_as_root[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
