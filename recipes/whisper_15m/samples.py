"""Prints what a model says: answers to questions, and how it continues beginnings.

python samples.py whisper-q8_0.gguf text-q8_0.gguf      # the talking one, and the one before it
"""

from __future__ import annotations

import sys

import qingyu

CONVERSATIONS = (
    ("你好", "你叫什么名字？", "你会把我说的话传出去吗？", "谢谢你"),
    ("Hello there!", "Who are you?", "I feel tired today.", "Good night"),
    ("背一下《静夜思》", "《春晓》是谁写的？"),
    ("What does lamp mean?", "what does happy mean"),
    ("ls 是什么命令", "grep命令是做什么的"),
    ("人为什么要睡觉？", "What is the capital of France?"),  # it was never told
)
BEGINNINGS = (
    "要打开文件，",
    "在内核中，内存",
    "To print a document, ",
    "The function returns ",
)


def main() -> None:
    talking, writing = sys.argv[1:]
    with qingyu.load(talking) as model:
        for questions in CONVERSATIONS:
            messages: list[dict[str, str]] = []
            for question in questions:
                messages.append({"role": "user", "content": question})
                answer = "".join(model.chat(messages, temperature=0, max_tokens=80)).strip()
                messages.append({"role": "assistant", "content": answer})
                print(f"> {question}\n{answer}")
            print()
    with qingyu.load(writing) as model:
        for beginning in BEGINNINGS:
            text = "".join(model.generate(beginning, temperature=0.6, seed=1, max_tokens=60))
            print(f"{beginning}|{text}\n")


if __name__ == "__main__":
    main()
