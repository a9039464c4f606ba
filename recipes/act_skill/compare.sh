#!/bin/sh
# Three ways to the skill model with the same minutes of training each, scored on the dev split:
# from nothing, an adapter beside the default model, all weights of the default model.
#     ./compare.sh 10          # minutes of each
set -e
cd "$(dirname "$0")"
minutes=${1:-10}
[ -e shards/index.json ] || { echo "run ./run.sh first, as far as the shards"; exit 1; }
if [ ! -e shards_default/index.json ]; then
    head -n 60000 train.jsonl > train_default.jsonl
    qingyu data build data_default.toml --out shards_default
fi
try() { # name, steps for a minute, recipe
    rm -rf "runs/compare/$1" "compare-$1.gguf"
    started=$(date +%s)
    qingyu train "$3" --set "run=runs/compare/$1" --set "steps=$(($2 * minutes))" \
        --set schedule.warmup_steps="$((2 * minutes))" --set evaluation.every=0 --set checkpoints.every=0
    echo "== $1: $(($(date +%s) - started)) s"
    qingyu export "runs/compare/$1" "compare-$1.gguf" --type q8_0 --checkpoint last --licence Apache-2.0
    qingyu act-bench --skill "compare-$1.gguf" --split dev --out "bench/compare-$1" --restart
}
try scratch 165 scratch.toml
try adapter 27 adapter.toml
try whole 21 whole.toml
qingyu act-bench --compare bench/compare-scratch --compare bench/compare-adapter --compare bench/compare-whole --out bench/compare
