#!/bin/sh
# From templates to the model that ships; each step goes on where it was stopped.
set -e
cd "$(dirname "$0")"
started=$(date +%s)
step() { echo "== $(( ($(date +%s) - started) / 60 )) min: $*"; "$@"; }

[ -e train.jsonl ] || step python lines.py --lines 600000
[ -e tokenizer/tokenizer.json ] || step qingyu data tokenizer data.toml --vocab-size 4096 --out tokenizer
[ -e shards/index.json ] || step qingyu data build data.toml --out shards
[ -e runs/scratch/checkpoints/last ] && resume=--resume || resume=
step qingyu train scratch.toml $resume
rm -f skill.gguf
step qingyu export runs/scratch skill.gguf --type q8_0 --checkpoint last --licence Apache-2.0
step qingyu act-bench --skill skill.gguf --split dev --out bench/dev
step qingyu act-bench --skill skill.gguf --split test --out bench/test
step python receipt.py skill.gguf --run runs/scratch --bench bench/dev --bench bench/test
echo "== $(( ($(date +%s) - started) / 60 )) min in all"
