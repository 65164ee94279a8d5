#!/usr/bin/env bash
# Install what requirements.lock names: tools/install_locked.sh PYTHON [TORCH_INDEX]
#
# TORCH_INDEX is an index, or a folder, with wheels of torch and torchvision for CPUs, in the locked versions.
# It replaces the 4 GB of CUDA libraries, which torch's ordinary wheels for Linux cannot be imported without.
# The lock file has no hashes of these wheels, so trust the index.
set -euo pipefail
python=$1 index=${2:-}
install=("$python" -m pip install --disable-pip-version-check)
if [ -z "$index" ]; then
    exec "${install[@]}" --require-hashes -r requirements.lock
fi
without_cuda=$(mktemp)
trap 'rm "$without_cuda"' EXIT
awk '/^[a-z]/ { kept = $1 !~ /^(torch|torchvision|triton|(cuda|nvidia)-.*)==/ } kept' requirements.lock > "$without_cuda"
"${install[@]}" --require-hashes --no-deps -r "$without_cuda"
mapfile -t torch < <(grep -oE '^torch(vision)?==[^ ]+' requirements.lock)
[ -d "$index" ] && from=(--no-index --find-links "$index") || from=(--index-url "$index")
"${install[@]}" --no-deps "${from[@]}" "${torch[@]}"
