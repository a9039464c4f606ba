#!/bin/sh
# From templates to the adapter that ships; each step goes on where it was stopped.
set -e
cd "$(dirname "$0")"
started=$(date +%s)
step() { echo "== $(( ($(date +%s) - started) / 60 )) min: $*"; "$@"; }
train() { [ -e "runs/$1/checkpoints/last" ] && set -- "$1" --resume; step qingyu train "$1.toml" $2; }

lines() { [ -e "$1" ] || step python lines.py --out "$@"; }
shards() { [ -e "$2/index.json" ] || step qingyu data build "$1" --out "$2"; }

lines train.jsonl --lines 180000 --first-seed 5001
shards data.toml shards
train qingyu-skill
lines train-more.jsonl --lines 120000 --first-seed 9001
shards data_more.toml shards-more
train qingyu-skill-more
rm -f skill.gguf
step qingyu export --to adapter runs/qingyu-skill-more skill.gguf --type f16 --checkpoint last
step qingyu act-bench --skill skill.gguf --split dev --out bench/dev --restart
step qingyu act-bench --skill skill.gguf --split test --out bench/test --restart
step python receipt.py skill.gguf --run runs/qingyu-skill --shards shards \
    --run runs/qingyu-skill-more --shards shards-more --bench bench/dev --bench bench/test
echo "== $(( ($(date +%s) - started) / 60 )) min in all"
