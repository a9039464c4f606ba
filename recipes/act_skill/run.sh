#!/bin/sh
# From templates to the model that ships; each step goes on where it was stopped.
set -e
cd "$(dirname "$0")"
started=$(date +%s)
step() { echo "== $(( ($(date +%s) - started) / 60 )) min: $*"; "$@"; }
train() { [ -e "runs/$1/checkpoints/last" ] && set -- "$1" --resume; step qingyu train "$1.toml" $2; }

[ -e train.jsonl ] || step python lines.py --lines 600000
[ -e train_more.jsonl ] || step python lines.py --lines 300000 --first-seed 1001 --out train_more.jsonl
[ -e tokenizer/tokenizer.json ] || step qingyu data tokenizer data.toml --vocab-size 4096 --out tokenizer
[ -e shards/index.json ] || step qingyu data build data.toml --out shards
[ -e shards_more/index.json ] || step qingyu data build data_more.toml --out shards_more
train scratch
train qingyu-skill
rm -f skill.gguf
step qingyu export runs/qingyu-skill skill.gguf --type q8_0 --checkpoint last --licence Apache-2.0
step qingyu act-bench --skill skill.gguf --split dev --out bench/dev --restart
step qingyu act-bench --skill skill.gguf --split test --out bench/test --restart
step python receipt.py skill.gguf --run runs/scratch --shards shards --run runs/qingyu-skill --shards shards_more \
    --bench bench/dev --bench bench/test
echo "== $(( ($(date +%s) - started) / 60 )) min in all"
