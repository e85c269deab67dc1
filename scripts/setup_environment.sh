#!/usr/bin/env bash
# Set up everything that DREAM-Talk needs: Debian packages, .venv, Python packages, a glTF validator for the tests.
# A second run with nothing changed ends at once. PYTHON=/path/to/python3.11 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TORCH_VERSION=2.13.0
CPU_INDEX=https://download.pytorch.org/whl/cpu
GLTF_VALIDATOR=gltf-validator@2.0.0-dev.3.10
# What the Blender module, OpenCV and off-screen drawing load from the system, and the phonemiser.
DEBIAN_PACKAGES=(
    libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libxext6 libegl1 libgl1-mesa-dri
    libglib2.0-0 espeak-ng
)
STAMP=.venv/set-up

say() { printf '%s\n' "$*" >&2; }

# The folder is part of the state because a virtual environment cannot be moved.
state() { { sha256sum pyproject.toml scripts/setup_environment.sh && pwd; } | sha256sum | cut -d ' ' -f 1; }

if [[ -x .venv/bin/dreamtalk && -f $STAMP && $(<"$STAMP") == "$(state)" ]]; then
    exit 0
fi

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "error: Python 3.11 was not found; install it, or run again with PYTHON=/path/to/python3.11"
    return 1
}

missing_packages() {
    local package
    for package in "${DEBIAN_PACKAGES[@]}"; do
        [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *"ok installed" ]] || printf '%s ' "$package"
    done
    "$python" -c 'import ensurepip, venv' 2>/dev/null || printf 'python3.11-venv '
}

install_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        say "note: not Debian or Ubuntu; should Blender exports fail, install the like of: ${DEBIAN_PACKAGES[*]}"
        return
    fi
    missing=$(missing_packages)
    [[ -n $missing ]] || return 0
    if [[ $(id -u) != 0 ]]; then
        say "please install these packages, then run this again if something fails: sudo apt-get install $missing"
        return
    fi
    say "installing Debian packages: $missing"
    # shellcheck disable=SC2086  # a list of words
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing; } >/dev/null; then
        say "note: apt-get failed; install these packages by hand: $missing"
    fi
}

# The CPU build is a tenth of the size of the default one. Its index may be out of reach: then do not wait for it.
install_torch() {
    if .venv/bin/python -c 'import torch' 2>/dev/null; then
        return
    fi
    say "installing PyTorch"
    .venv/bin/python -m pip install -qq --no-deps --retries 0 --timeout 15 --extra-index-url "$CPU_INDEX" \
        "torch==$TORCH_VERSION+cpu" 2>/dev/null && return
    say "the CPU build of PyTorch is not to be had; installing the default build"
    .venv/bin/python -m pip install -qq "torch==$TORCH_VERSION"
}

install_gltf_validator() {
    [[ ! -d build/gltf-validator/node_modules/gltf-validator ]] || return 0
    if ! command -v npm >/dev/null; then
        say "note: npm is not installed; the test that validates glTF files will be skipped"
        return
    fi
    mkdir -p build/gltf-validator
    if ! npm install --silent --no-save --no-audit --no-fund --prefix build/gltf-validator "$GLTF_VALIDATOR" \
        >/dev/null 2>&1; then
        say "note: npm could not fetch $GLTF_VALIDATOR; the test that validates glTF files will be skipped"
    fi
}

python=$(find_python)
install_packages
say "setting up .venv (a few minutes, once)"
# A half-made or moved environment is made anew; a working one is kept and brought up to date.
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
install_torch
say "installing Python packages"
.venv/bin/python -m pip install -qq --editable '.[blender,demo,train,docs,dev]'
install_gltf_validator
if ! .venv/bin/python -c 'import bpy' 2>/dev/null; then
    say "note: the Blender module cannot be loaded; it needs the like of: ${DEBIAN_PACKAGES[*]}"
fi
state >"$STAMP"
say "ready"
