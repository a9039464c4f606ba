#!/bin/sh
# Three ways to the skill model with the same minutes of training each, scored on the dev split:
# from nothing, an adapter beside the default model, all weights of the default model.
#     ./compare.sh 10                # minutes of each
#     ./compare.sh 10 adapter        # one of them
set -e
cd "$(dirname "$0")"
minutes=${1:-10}
ways=${2:-scratch adapter whole}
[ -e shards/index.json ] || { echo "run ./run.sh first, as far as the shards"; exit 1; }
try() { # name, steps for a minute, recipe
    case " $ways " in *" $1 "*) ;; *) return 0 ;; esac
    rm -rf "runs/compare/$1" "compare-$1.gguf"
    started=$(date +%s)
    qingyu train "$3" --set "run=runs/compare/$1" --set "steps=$(($2 * minutes))" \
        --set schedule.warmup_steps="$((2 * minutes))" --set evaluation.every=0 --set checkpoints.every=0
    echo "== $1: $(($(date +%s) - started)) s"
    qingyu export "runs/compare/$1" "compare-$1.gguf" --type q8_0 --checkpoint last --licence Apache-2.0
    qingyu act-bench --skill "compare-$1.gguf" --split dev --out "bench/compare-$1" --restart
}
case " $ways " in *" scratch "*)
    [ -e tokenizer/tokenizer.json ] || qingyu data tokenizer data_scratch.toml --vocab-size 4096 --out tokenizer
    [ -e shards_scratch/index.json ] || qingyu data build data_scratch.toml --out shards_scratch ;;
esac
try scratch 165 scratch.toml
try adapter 24 qingyu-skill.toml
try whole 18 whole.toml
set --
for way in scratch adapter whole; do
    [ -e "bench/compare-$way/result.json" ] && set -- "$@" --compare "bench/compare-$way"
done
qingyu act-bench "$@" --out bench/compare
