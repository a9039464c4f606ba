#!/bin/sh
# The whole recipe, from packages to a model that talks; each step goes on where it was stopped.
set -e
cd "$(dirname "$0")"
started=$(date +%s)
step() { echo "== $(( ($(date +%s) - started) / 60 )) min: $*"; "$@"; }

step python talks.py
[ -e tokenizer/tokenizer.json ] || step qingyu data tokenizer data.toml --vocab-size 12288 --out tokenizer --fetch
[ -e shards/index.json ] || step qingyu data build data.toml --out shards --fetch
[ -e talks/index.json ] || step qingyu data build talks.toml --out talks
[ -e runs/text/checkpoints/last ] && resume=--resume || resume=
step qingyu train train.toml $resume
[ -e runs/talks/checkpoints/last ] && resume=--resume || resume=
step qingyu train tune.toml $resume
for type in f16 q8_0; do
    rm -f text-$type.gguf whisper-$type.gguf
    step qingyu export runs/text text-$type.gguf --type $type --checkpoint last
    step qingyu export runs/talks whisper-$type.gguf --type $type --checkpoint last
done
step python check.py runs/text text-f16.gguf text-q8_0.gguf
step python samples.py whisper-q8_0.gguf text-q8_0.gguf
echo "== $(( ($(date +%s) - started) / 60 )) min in all"
