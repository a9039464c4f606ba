#!/bin/sh
# From templates to the adapter that ships; each step goes on where it was stopped.
set -e
cd "$(dirname "$0")"
started=$(date +%s)
step() { echo "== $(( ($(date +%s) - started) / 60 )) min: $*"; "$@"; }
train() { [ -e "runs/$1/checkpoints/last" ] && set -- "$1" --resume; step qingyu train "$1.toml" $2; }

[ -e train.jsonl ] || step python lines.py --lines 170000 --first-seed 5001
[ -e shards/index.json ] || step qingyu data build data.toml --out shards
train qingyu-skill
rm -f skill.gguf
step qingyu export --to adapter runs/qingyu-skill skill.gguf --type f16 --checkpoint last
step qingyu act-bench --skill skill.gguf --split dev --out bench/dev --restart
step qingyu act-bench --skill skill.gguf --split test --out bench/test --restart
step python receipt.py skill.gguf --run runs/qingyu-skill --shards shards --bench bench/dev --bench bench/test
echo "== $(( ($(date +%s) - started) / 60 )) min in all"
