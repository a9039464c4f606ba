#!/bin/sh
# make demo: bring the default model and let it answer, once in English, once in Chinese.
#
#   sh scripts/demo.sh .venv/bin/qingyu
set -eu
qingyu=$1

ask() {
    printf '\n$ %s generate --chat --stats "%s"\n' "$qingyu" "$1"
    "$qingyu" generate --chat --stats --max-tokens 80 "$1"
}

"$qingyu" pull default
ask "Explain in two sentences why the sky is blue."
ask "你好！请用中文介绍一下你自己。"

case "${QINGYU_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in
zh*) cat <<TEXT

默认模型很小（1.35 亿参数），以英语为主，中文很弱，如上所见。
要用中文对话，请换一个会中文的模型（约 610 MiB）：
  $qingyu pull qwen3-0.6b
  $qingyu chat --model qwen3-0.6b
现在就可以：
  $qingyu chat
  $qingyu --help
TEXT
    ;;
*) cat <<TEXT

The default model is tiny (135M parameters) and English-first; its Chinese is poor, as seen.
For conversation in Chinese bring a model that speaks it (about 610 MiB):
  $qingyu pull qwen3-0.6b
  $qingyu chat --model qwen3-0.6b
Go on with:
  $qingyu chat
  $qingyu --help
TEXT
    ;;
esac
