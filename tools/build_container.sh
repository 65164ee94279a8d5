#!/usr/bin/env bash
# Build the image `samcarry` without an image registry: tools/build_container.sh [OPTIONS OF BUILDAH BUD]
#
# The base is Debian 12 with its Python 3.11, made by debootstrap from the mirror MIRROR, or from Debian's default.
# Both programs are Debian packages and need root. Pass pip's settings from outside, such as
#   tools/build_container.sh -v /etc/pip.conf:/etc/pip.conf:ro
# In a container without the rights for a storage driver or namespaces: STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot.
# The driver vfs copies the image several times: have four times its size free, there and in TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/.."
base=localhost/samcarry-base
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
        bookworm "$folder" ${MIRROR:+"$MIRROR"}
    rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$folder" /
    buildah commit --quiet --rm "$container" "$base"
fi
buildah bud --from "$base" --ignorefile .dockerignore --tag samcarry "$@" .
