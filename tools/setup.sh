#!/usr/bin/env bash
# Installs what the build and the tests need on Debian 12. Does nothing when all of it is there.
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config ccache python3
  libfmt-dev nlohmann-json3-dev libsimdjson-dev libcli11-dev libtomlplusplus-dev
  libpcre2-dev libutf8proc-dev libcurl4-openssl-dev libssl-dev libboost1.81-dev libedit-dev zlib1g-dev
  libsqlite3-dev libarchive-dev libpugixml-dev libgumbo-dev libseccomp-dev libgmp-dev libmpfr-dev bubblewrap poppler-utils poppler-data
  libgtest-dev libgmock-dev libbenchmark-dev
  clang clang-format clang-tidy libclang-rt-14-dev
  gnuplot-nox
)

# The chat site is built with npm. A node from elsewhere, which brings its own, is left as it is.
command -v npm >/dev/null || packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

run_as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: not root and no sudo; install by hand: ${missing[*]}" >&2; exit 1; }
  run_as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${run_as_root[@]}" apt-get update -qq
"${run_as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
