#!/usr/bin/env bash
# One part of the GPU day, on the machine that has the GPU: gpu-day/run.sh PART
#
# PART is 1 to 5, or `unpack`. The folder gpu-day/ travels with its loads, made by `cargo xtask gpu-day pack`; nothing else is
# needed but what every Linux has (bash, coreutils, grep, sed, find, tar, gzip, ldconfig) and Python. What was measured lies as part-PART.tar.gz in $OUT, else in gpu-day/out: raw
# output of every step, and steps.tsv, which says what was run, for how long, and how it ended. A step that fails or hangs
# costs only itself.
#
# SECONDS_OF_PART=N gives a part another limit. REHEARSAL=1 says that software stands in for the GPU: less of everything.
set -uo pipefail
PATH=$PATH:/usr/sbin:/sbin # for ldconfig

here=$(cd "$(dirname "$0")" && pwd)
room=$here/room
out=${OUT:-$here/out}
part=${1:-}
case $part in
    [1-5] | unpack) ;;
    *) echo "usage: gpu-day/run.sh PART, where PART is 1 to 5, or unpack" >&2; exit 2 ;;
esac
rehearsal=${REHEARSAL:-}

# Seconds that each part may take.
limits=(0 90 120 60 180 240)

# unpack NAME: joins the pieces of an archive once all are there, and unpacks it; once for each time that it was packed. 1 where
# pieces are missing, 2 where one is damaged.
unpack() {
    local name=$1 pieces=() piece number count sums=
    piece=$(ls "$here"/loads/*/"$name".tar.xz.*-of-* 2>/dev/null | head -n 1)
    count=${piece##*-of-}
    for ((number = 1; number <= ${count:-1}; number++)); do
        piece=$(ls "$here"/loads/*/"$name.tar.xz.$number-of-$count" 2>/dev/null | head -n 1)
        if [ -z "$piece" ]; then
            [ -e "$room/$name.done" ] && return # its loads were here before
            echo "$name: piece $number of ${count:-?} is not here yet" >&2
            return 1
        fi
        pieces+=("$piece")
        sums+=$(grep -F "  $(basename "$piece")" "$(dirname "$piece")/SHA256SUMS")$'\n'
    done
    [ "$(cat "$room/$name.done" 2>/dev/null)" = "${sums%$'\n'}" ] && return
    for piece in "${pieces[@]}"; do
        if ! (cd "$(dirname "$piece")" && grep -F "  $(basename "$piece")" SHA256SUMS | sha256sum --check --quiet); then
            echo "$piece is damaged: copy it once more" >&2
            return 2
        fi
    done
    mkdir -p "$room"
    # Python has what unpacks it even where there is no xz.
    cat "${pieces[@]}" | python3 -c 'import sys, tarfile
tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz").extractall(sys.argv[1])' "$room" || return 2
    printf '%s' "$sums" >"$room/$name.done"
}

unpack programs || exit 2
if [ "$part" = 4 ] || [ "$part" = unpack ]; then
    unpack browser
    [ $? = 2 ] && exit 2
fi
[ "$part" = unpack ] && exit

results=$room/results/part-$part
rm -rf "$results"
mkdir -p "$results" "$out" || exit 2
deadline=$((SECONDS + ${SECONDS_OF_PART:-${limits[$part]}}))

# Libraries that this system lacks: links to those that travelled.
missing=$room/missing
mkdir -p "$missing"
for library in "$room"/lib/*; do
    ldconfig -p | grep -qF "	$(basename "$library") " || ln -sf "$library" "$missing/"
done
# A driver's folder that nobody told the system of.
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do
    [ -d "$folder" ] && missing=$missing:$folder
done
export LD_LIBRARY_PATH=$missing${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
nvidia_icd=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if ! ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1 && [ -e "$nvidia_icd" ]; then
    export VK_DRIVER_FILES=$nvidia_icd
fi

# cuBLAS, cuRAND and CUDA's runtime are too large to travel: beside nvcc, or in Python's packages.
cuda_libraries() {
    local folders=() nvcc found
    nvcc=$(command -v nvcc || ls /usr/local/cuda*/bin/nvcc 2>/dev/null | tail -n 1)
    [ -n "$nvcc" ] && folders+=("$(dirname "$(readlink -f "$nvcc")")/..")
    mapfile -t -O "${#folders[@]}" folders < <(python3 -c 'import nvidia
print(*nvidia.__path__, sep="\n")' 2>/dev/null)
    for found in libcublas.so.13 libcurand.so.10 libcudart.so.13; do
        found=$(find -L "${folders[@]:-/nowhere}" -name "$found" -not -path '*/stubs/*' 2>/dev/null | head -n 1)
        [ -n "$found" ] && printf ':%s' "$(dirname "$found")"
    done
}
cuda_path=$LD_LIBRARY_PATH$(cuda_libraries)
with_cuda=(env "LD_LIBRARY_PATH=$cuda_path")
# Why there is no CUDA here, or nothing.
no_cuda=$("${with_cuda[@]}" "$room/bin/playground-cli-cuda" --version 2>&1 >/dev/null | head -n 1 | sed 's/.*shared libraries: //')

# note NAME LIMIT SECONDS ENDED COMMAND...: a line of steps.tsv. What there is so far is packed at once.
note() {
    (IFS=' '; printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${*:5}") >>"$results/steps.tsv"
    printf '%-28s %7s s  %s\n' "$1" "$3" "$4"
    local file
    for file in "$results"/*; do # nobody reads more of a log, and archives are bounded
        if [ "$(stat -c %s "$file")" -gt 2000000 ]; then
            { head -c 900000 "$file"; echo; echo '[…]'; tail -c 900000 "$file"; } >"$file.cut" && mv "$file.cut" "$file"
        fi
    done
    tar -czf "$out/part-$part.tar.gz.new" -C "$room/results" "part-$part"
    mv "$out/part-$part.tar.gz.new" "$out/part-$part.tar.gz"
}

# step NAME SECONDS COMMAND...: runs it within its limit and that of the part; its output is NAME.out and NAME.err.
step() {
    local name=$1 limit=$2 left=$((deadline - SECONDS)) begin=$EPOCHREALTIME status ended
    shift 2
    if ((left < 2)); then
        note "$name" "$limit" 0 "not reached" "$@"
        return
    fi
    ((limit > left)) && limit=$left
    timeout --kill-after=3 "$limit" "$@" >"$results/$name.out" 2>"$results/$name.err" </dev/null
    status=$?
    case $status in
        0) ended=done ;;
        124 | 137) ended="cut off after $limit s" ;;
        *) ended="failed with $status" ;;
    esac
    note "$name" "$limit" "$(python3 -c "print(round($EPOCHREALTIME - $begin, 2))")" "$ended" "$@"
}

# cuda_step NAME SECONDS COMMAND...: the same for programs that need CUDA, or why it is not run.
cuda_step() {
    if [ -n "$no_cuda" ]; then
        note "$1" "$2" 0 "skipped: no CUDA ($no_cuda)" "${@:3}"
    else
        step "$1" "$2" "${with_cuda[@]}" "${@:3}"
    fi
}

cli=$room/bin/playground-cli
cuda_cli=$room/bin/playground-cli-cuda
export PLAYGROUND_DATA=$room/data

part_1() { # what is here, and whether it computes right
    step adapters 15 "$room/bin/adapters"
    step devices 25 "$cli" devices --verify --json
    cuda_step devices-cuda 25 "$cuda_cli" devices --verify --json
    step parity-wgpu 30 "$room/bin/adapter" parity
    cuda_step parity-cuda 30 "$room/bin/cuda" parity
    step adapter-ring 60 "$room/bin/adapter" --skip parity
    cuda_step cuda-ring 30 "$room/bin/cuda" --skip parity
}

# turns NAME SECONDS BATCH SECONDS_EACH RUNNER...: measured in turns; what needs CUDA takes part where there is CUDA.
turns() {
    local runners=() runner
    for runner in "${@:5}"; do
        if [ "$runner" = ours:candle-cuda ] && [ -n "$no_cuda" ]; then
            note "$1: $runner" 0 0 "skipped: no CUDA ($no_cuda)"
        else
            runners+=("$runner")
        fi
    done
    step "$1" "$2" python3 "$here/turns.py" "$room" "$cuda_path" "$3" "$4" "${runners[@]}"
}

part_2() { # speed at batch 64 beside what people use instead
    turns turns-64 115 64 1 ours:wgpu ours:candle-cuda torch:eager torch:graph jax
}

part_3() { # MNIST to 99 %, ten seeds; the first with nothing compiled before
    local seed short=()
    [ -n "$rehearsal" ] && short=(--steps 20) # software would need minutes for the whole
    export __GL_SHADER_DISK_CACHE_PATH=$room/cache MESA_SHADER_CACHE_DIR=$room/cache PLAYGROUND_CACHE=$room/cache
    rm -rf "$room/cache"
    for seed in 1 2 3 4 5 6 7 8 9 10; do
        step "mnist-99-wgpu-$seed" 20 "$cli" train --preset mnist-99 --dataset mnist --engine wgpu --seed $seed --json "${short[@]}"
    done
    for seed in 1 2 3 4 5; do
        step "mnist-99-wgpu+f16-$seed" 20 "$cli" train --preset mnist-99 --dataset mnist --engine wgpu --precision f16 --seed $seed --json "${short[@]}"
    done
    for seed in 1 2 3; do
        cuda_step "mnist-99-candle-cuda-$seed" 20 "$cuda_cli" train --preset mnist-99 --dataset mnist --engine candle-cuda --seed $seed --json "${short[@]}"
    done
}

part_4() { # in Chromium: what it finds, ours beside jax-js and TF.js, the page itself
    local workload peer engine
    if [ ! -e "$room/browser.done" ]; then
        note browser 0 0 "skipped: its loads are not here"
        return
    fi
    rm -f "$room/flags.json"
    local browser=(env "FONTCONFIG_FILE=$room/fonts.conf" "HOME=$room" "$room/bin/node" "$room/web/browser.cjs" "$room")
    printf '<?xml version="1.0"?><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>' "$room/fonts" "$room/cache" >"$room/fonts.conf"
    step probe 60 "${browser[@]}" probe
    if [ ! -e "$room/flags.json" ]; then
        note browser 0 0 "failed: WebGPU has no GPU here"
        return
    fi
    for workload in W1 W2 W3; do
        for peer in ours jax-js tfjs; do
            step "web-$workload-$peer" 30 "${browser[@]}" bench $peer $workload
        done
    done
    for engine in wgpu cpu; do
        step "page-$engine" 60 "${browser[@]}" page $engine "$results"
    done
}

part_5() { # what else there is time for
    local preset batch engine
    turns turns-1024 45 1024 0.5 ours:wgpu ours:wgpu+f16 ours:candle-cuda torch:eager torch:graph jax
    step tune-W1 15 "$cli" bench --workload W1 --engine wgpu --tune --seconds 1 --json
    step tune-W2 15 "$cli" bench --workload W2 --engine wgpu --tune --seconds 1 --json
    step tune-W3 15 "$cli" bench --workload W3 --engine wgpu --tune --seconds 1 --json
    step tune-W2-f16 15 "$cli" bench --workload W2 --engine wgpu --precision f16 --tune --seconds 1 --json
    turns compiled 60 64 0.5 ours:wgpu ours:wgpu+f16 torch:compiled
    for width in 32 128 512 2048; do
        for batch in 16 64 256 1024; do
            for engine in wgpu cpu candle-cuda; do
                grid "$width" "$batch" "$engine"
            done
        done
    done
    step kernels 120 "$room/bin/kernels" --bench
}

# grid WIDTH BATCH ENGINE: a network of two hidden layers, half a second.
grid() {
    local config=$results/grid-$1.json
    printf '{"version":1,"model":{"network":{"layers":["flatten",{"dense":{"units":%d}},"relu",{"dense":{"units":%d}},"relu",{"dense":{"units":10}}]}}}' "$1" "$1" >"$config"
    local options=(bench --config "$config" --batch "$2" --engine "$3" --seconds 0.3 --json)
    if [ "$3" = candle-cuda ]; then
        cuda_step "grid-$1-$2-$3" 10 "$cuda_cli" "${options[@]}"
    else
        step "grid-$1-$2-$3" 10 "$cli" "${options[@]}"
    fi
}

machine() {
    date --utc --iso-8601=seconds
    uname -a
    grep PRETTY_NAME /etc/os-release
    nproc
    grep -m 1 'model name' /proc/cpuinfo
    cat /proc/loadavg
    nvidia-smi || echo "nvidia-smi does not run"
    nvidia-smi -q -d CLOCK,POWER,PERFORMANCE 2>/dev/null
    cat "$room/commit"
    python3 --version
}
export -f machine
export room
step machine 15 bash -c machine
[ -n "$rehearsal" ] && note rehearsal 0 0 done "software stands in for the GPU"

"part_$part"
