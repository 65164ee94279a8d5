#!/bin/sh
# Take every figure of a GPU, and run what only a GPU shows: tests/gpu and the demo through Snakemake.
#
#     benchmarks/gpu_all.sh [FOLDER]      # default: gpu_figures/; about 12 minutes on an H100
#     QUICK=1 benchmarks/gpu_all.sh       # smallest settings, to check the script itself, also on a CPU
#
# Each step writes its output to a file of FOLDER, and the next step runs even if one fails or takes too long.
# The most important figures come first.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${1:-gpu_figures}
python=${PYTHON:-.venv/bin/python}
failed=0
export OMP_WAIT_POLICY=PASSIVE # waiting threads sleep, as in `samcarry predict`
mkdir -p "$out"

step() { # name, seconds, command ...
	name=$1 limit=$2
	shift 2
	echo "== $name: $*"
	began=$(date +%s)
	timeout "$limit" "$@" >"$out/$name.txt" 2>&1
	code=$?
	[ $code -eq 0 ] || { failed=1; echo "   failed ($code): $out/$name.txt"; }
	echo "   $(($(date +%s) - began)) s"
	tail -n 4 "$out/$name.txt"
}

if [ -n "${QUICK:-}" ]; then
	step embed_tiny 120 "$python" benchmarks/embedding.py --model tiny --images 2 --runs 1 --threads 1
	step decode_tiny 120 "$python" benchmarks/decoding.py --model tiny --classes 2 --runs 1 --threads 1
	step train 120 "$python" benchmarks/training.py --width 4 --size 64 64 --batch 1 --steps 1 --runs 1 --threads 1
	step predict 120 "$python" benchmarks/predict.py --images 1 --size 150 200 --width 4 --runs 1
	exit $failed
fi

nvidia-smi --query-gpu=name,driver_version --format=csv >"$out/gpu.txt" || exit 1
step embed_vit_h 90 "$python" benchmarks/embedding.py --model vit_h --images 32 --runs 2 --threads 8
step decode_vit_h 60 "$python" benchmarks/decoding.py --model vit_h --chunk 64 --runs 2
step train_31m 120 "$python" benchmarks/training.py --batch 16 --steps 60 --compile --threads 8
step zoom_vit_h 60 "$python" benchmarks/zoom.py --model vit_h --classes 32 --runs 1 --precision bfloat16
step tests_gpu 180 "$python" -m pytest tests/gpu -q -p no:cacheprovider --no-cov
step demo 240 env PATH="$(dirname "$python"):$PATH" snakemake --cores 8 --resources gpu=1
step embed_vit_b 45 "$python" benchmarks/embedding.py --model vit_b --images 64 --runs 2 --threads 8
step embed_tiny 30 "$python" benchmarks/embedding.py --model tiny --images 256 --runs 2
step decode_vit_b 30 "$python" benchmarks/decoding.py --model vit_b --chunk 64 --runs 2
step decode_tiny 20 "$python" benchmarks/decoding.py --model tiny --chunk 64
step train_small 45 "$python" benchmarks/training.py --width 16 --size 96 96 --batch 8 --steps 60
step infer 60 "$python" benchmarks/inference.py --width 64 --images 64 --threads 8
step predict 60 "$python" benchmarks/predict.py --images 4 --width 64
exit $failed
