"""Text to token ids and back, from the vocabulary inside a GGUF file.

    tokenizer = Tokenizer.from_gguf(gguf)
    tokenizer.decode(tokenizer.encode("你好, world"))

Byte-level byte-pair encoding runs in the `tokenizers` library, SentencePiece-style merging in
`qingyu.models.sentencepiece`; both give llama.cpp's ids (tests/golden). Around them, here:
special tokens, the beginning token, and bytes.

Which text becomes a special token:
  - user-defined tokens (`<think>`, `<tool_call>`) are matched in any text, as llama.cpp does;
  - control tokens (`<|im_end|>`) only with `special=True`, which is for rendered templates.
    Without it no text at all can become one, not even by merging.
Within a rendered template `barrier` marks what came from outside: see `qingyu.models.template`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qingyu.errors import InvalidRequestError, ModelFileError, UnsupportedModelError
from qingyu.models.gguf import GGUFFile
from qingyu.models.pretokenizers import PRETOKENIZERS, PreTokenizer
from qingyu.models.sentencepiece import SPACE, SentencePiece
from qingyu.models.vocabulary import BYTE, CONTROL, UNKNOWN, USER_DEFINED, Vocabulary
from qingyu.text import pick

if TYPE_CHECKING:
    import tokenizers

# Cuts a piece of plain text into ids.
Encoder = Callable[[str], list[int]]


def _byte_characters() -> list[str]:
    """GPT-2's printable character for each byte: itself where printable, else from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(b) if b in printable else chr(next(spare)) for b in range(256)]


BYTE_CHARACTERS = _byte_characters()
# to a string whose Latin-1 form is the token's bytes
_TO_LATIN1 = {ord(character): byte for byte, character in enumerate(BYTE_CHARACTERS)}


class Tokenizer:
    """Token ids of text, and text of token ids. Immutable; any thread may use it."""

    def __init__(
        self, vocabulary: Vocabulary, *, kind: str, pre: str = "", space_prefix: bool = False
    ) -> None:
        """`kind` is "gpt2" (byte-level, cut by `pre`) or "llama" (SentencePiece-style)."""
        self.kind = kind
        self.pre = pre
        self.vocab_size = len(vocabulary.texts)
        self.bos_id = vocabulary.bos_id
        self.eos_id = vocabulary.eos_id
        self.eos_ids = vocabulary.eos_ids
        self.add_bos = False
        self._vocabulary = vocabulary
        self._space_prefix = space_prefix
        self._encode_piece: Encoder = lambda text: []
        self._present_bytes = b""
        self._absent_bytes = False
        self._bytes: list[bytes | None] = [None] * self.vocab_size
        # Longest first: that is the order in which they are looked for.
        matched = (UNKNOWN, CONTROL, USER_DEFINED)
        specials = sorted(
            (
                (text, i)
                for i, text in enumerate(vocabulary.texts)
                if vocabulary.kinds[i] in matched
            ),
            key=lambda entry: -len(entry[0].encode("utf-8", "surrogateescape")),
        )
        self._specials = specials
        self._user_defined = [e for e in specials if vocabulary.kinds[e[1]] == USER_DEFINED]
        self.control_texts = [e[0] for e in specials if vocabulary.kinds[e[1]] != USER_DEFINED]

    @classmethod
    def from_gguf(cls, gguf: GGUFFile) -> Tokenizer:
        """Raises UnsupportedModelError for a tokenizer of another kind, ModelFileError when
        its parts are missing or contradict each other."""
        kind = gguf.get("tokenizer.ggml.model", str)
        vocabulary = Vocabulary.from_gguf(gguf)
        if kind == "gpt2":
            pre = gguf.get("tokenizer.ggml.pre", str, "default")
            if pre not in PRETOKENIZERS:
                raise _unsupported(
                    gguf, f"pre-tokenizer {pre!r}", f"预分词方式 {pre!r}", PRETOKENIZERS
                )
            tokenizer = cls(vocabulary, kind=kind, pre=pre)
            merges = gguf.get("tokenizer.ggml.merges", list)
            tokenizer._use_byte_pairs(gguf, merges, PRETOKENIZERS[pre])
        elif kind == "llama":
            if not vocabulary.scores:
                gguf.get("tokenizer.ggml.scores", list)  # says that it is missing
            prefix = gguf.get("tokenizer.ggml.add_space_prefix", bool, True)
            tokenizer = cls(vocabulary, kind=kind, space_prefix=prefix)
            tokenizer._use_sentencepiece()
        else:
            raise _unsupported(gguf, f"tokenizer {kind!r}", f"分词器 {kind!r}", ("gpt2", "llama"))
        return tokenizer

    def _use_byte_pairs(self, gguf: GGUFFile, merges: list[str], pre: PreTokenizer) -> None:
        vocabulary = self._vocabulary
        hidden = (UNKNOWN, CONTROL)
        ids = {
            text: i
            for i, (text, kind) in enumerate(zip(vocabulary.texts, vocabulary.kinds, strict=True))
            if kind not in hidden
        }
        library = _byte_pair_encoder(gguf, ids, merges, pre)

        def encode(text: str) -> list[int]:
            result: list[int] = library.encode(text, add_special_tokens=False).ids
            return result

        self._encode_piece = encode
        self._present_bytes = bytes(b for b in range(256) if BYTE_CHARACTERS[b] in ids)
        self._absent_bytes = len(self._present_bytes) < 256
        wanted = pre.add_bos if vocabulary.add_bos is None else vocabulary.add_bos
        self.add_bos = wanted and self.bos_id is not None

    def _use_sentencepiece(self) -> None:
        vocabulary = self._vocabulary
        pieces = SentencePiece(vocabulary)
        self._encode_piece = pieces.encode
        self._pieces = pieces
        if self.bos_id is None and self.vocab_size > 2:
            # the places SentencePiece itself gives them, for files without the keys
            self.bos_id = 1
        if not self.eos_ids and self.vocab_size > 2:
            self.eos_id, self.eos_ids = 2, frozenset({2})
        self.add_bos = vocabulary.add_bos is not False and self.bos_id is not None

    # To ids.

    def encode(
        self,
        text: str,
        *,
        special: bool = False,
        add_bos: bool | None = None,
        barrier: str | None = None,
        continued: bool = False,
    ) -> list[int]:
        """Token ids of the text.

        `special` lets control tokens be matched; `add_bos` None follows the model's file.
        `continued`: the text goes on after another, so that no space is put before it.
        `barrier` is one character that is not part of the text: it is taken out, but no
        control token is matched across it.

        Raises InvalidRequestError when the vocabulary cannot express a character (nothing is
        dropped in silence) or the text is no valid Unicode.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequestError(
                pick(
                    f"the text is not valid Unicode at character {error.start}",
                    f"文本第 {error.start} 个字符不是有效的 Unicode",
                )
            ) from None
        wanted = self.add_bos if add_bos is None else add_bos
        ids = [self.bos_id] if wanted and self.bos_id is not None else []
        prefix = self._space_prefix and not continued
        space = prefix  # before the text, and after every special token
        for part in self._parts(text, special, barrier):
            if isinstance(part, int):
                ids.append(part)
                space = prefix
                continue
            if self.kind == "llama":
                part = (" " + part if space else part).replace(" ", SPACE)
            self._refuse_absent(part, text)
            ids += self._encode_piece(part)
            space = False
        return ids

    def _parts(self, text: str, special: bool, barrier: str | None) -> Iterable[str | int]:
        specials = self._specials if special else self._user_defined
        if barrier is not None:  # a name of one character has no inside for a barrier
            specials = [e for e in specials if len(e[0]) > 1 or e in self._user_defined]
        parts = _split(text, specials)
        if barrier is None or barrier not in text:
            return parts
        result: list[str | int] = []
        for part in parts:
            if isinstance(part, str) and barrier in part:
                result += _split(part.replace(barrier, ""), self._user_defined)
            else:
                result.append(part)
        return result

    def _refuse_absent(self, part: str, text: str) -> None:
        """Refuse a character of `part` that the vocabulary cannot express."""
        absent: str | None = None
        if self.kind == "llama":
            absent = self._pieces.missing(part)
        elif self._absent_bytes:
            # translate deletes all the bytes it may; what is left is absent
            left = part.encode().translate(None, self._present_bytes)
            if left:
                absent = next(c for c in part if any(b in left for b in c.encode()))
        if absent is not None:
            code = f"U+{ord(absent):04X}"
            raise InvalidRequestError(
                pick(
                    f"the model's vocabulary cannot express the character {code}"
                    f" (at position {text.find(absent)}); take it out",
                    f"模型的词表无法表示字符 {code}（位置 {text.find(absent)}）；请将其删除",
                )
            )

    # To text.

    def token_text(self, token: int) -> str:
        """The token as the vocabulary writes it (`Ġthe`, `▁the`, `<|im_end|>`)."""
        return self._vocabulary.texts[token]

    def is_special(self, token: int) -> bool:
        """Whether the token is control, not text."""
        return self._vocabulary.kinds[token] in (UNKNOWN, CONTROL)

    def token_bytes(self, token: int, *, special: bool = True) -> bytes:
        """The exact bytes the token stands for; control tokens give their name, or b"" with
        `special=False`."""
        known = self._bytes[token]
        if known is None:
            known = self._bytes[token] = self._make_bytes(token)
        return b"" if not special and self.is_special(token) else known

    def _make_bytes(self, token: int) -> bytes:
        text, kind = self._vocabulary.texts[token], self._vocabulary.kinds[token]
        if kind in (UNKNOWN, CONTROL, USER_DEFINED):
            return text.encode("utf-8", "surrogateescape")
        if self.kind == "llama":
            if kind == BYTE:
                return bytes.fromhex(text[3:5]) if text.startswith("<0x") else b""
            return text.replace(SPACE, " ").encode("utf-8", "surrogateescape")
        try:
            return text.translate(_TO_LATIN1).encode("latin-1")
        except UnicodeEncodeError:  # no byte-level text: added tokens of some files
            return text.encode("utf-8", "surrogateescape")

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of the tokens; bytes that are no UTF-8 become U+FFFD."""
        raw = b"".join(self.token_bytes(t, special=not skip_special) for t in tokens)
        text = raw.decode("utf-8", "replace")
        # the space that encode put before the text
        starts = tokens[1:2] if len(tokens) and tokens[0] == self.bos_id else tokens[:1]
        if self._space_prefix and len(starts) and not self.is_special(starts[0]):
            at = 0 if starts[0] == tokens[0] or skip_special else len(self.token_text(tokens[0]))
            if text[at : at + 1] == " ":
                text = text[:at] + text[at + 1 :]
        return text

    def stream(self, *, skip_special: bool = True) -> TextStream:
        """A decoder for tokens as they come."""
        return TextStream(self, skip_special=skip_special)


class TextStream:
    """Text of tokens one by one; a character appears when all of its bytes have.

    stream = tokenizer.stream()
    text = "".join(stream.push(t) for t in tokens) + stream.flush()
    """

    def __init__(
        self, tokenizer: Tokenizer, *, skip_special: bool = True, shown: Collection[int] = ()
    ) -> None:
        """shown: control tokens that are not skipped."""
        self._token_bytes = tokenizer.token_bytes
        self._special = not skip_special
        self._shown = shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The characters that became whole with this token. Bytes that can no longer become
        a character appear as U+FFFD."""
        special = self._special or token in self._shown
        return self._decoder.decode(self._token_bytes(token, special=special))

    def flush(self) -> str:
        """What is left: U+FFFD when the stream ended inside a character. Ready for new text."""
        text = self._decoder.decode(b"", True)
        self._decoder.reset()
        return text


def _split(text: str, specials: list[tuple[str, int]]) -> list[str | int]:
    """Cut the text at special tokens, the first of the list first; no empty pieces."""
    parts: list[str | int] = [text] if text else []
    for name, token in specials:
        if name not in text:
            continue
        cut: list[str | int] = []
        for part in parts:
            if isinstance(part, int) or name not in part:
                cut.append(part)
                continue
            for i, piece in enumerate(part.split(name)):
                if i:
                    cut.append(token)
                if piece:
                    cut.append(piece)
        parts = cut
    return parts


def _byte_pair_encoder(
    gguf: GGUFFile, ids: dict[str, int], merges: list[str], pre: PreTokenizer
) -> tokenizers.Tokenizer:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers  # 30 ms

    pairs: list[Any] = [tuple(merge.split(" ")) for merge in merges]
    if not all(len(pair) == 2 for pair in pairs):
        raise _damaged(gguf, "a merge is not two tokens", "有合并规则不是两个词元")
    try:
        try:
            model = models.BPE(ids, pairs, ignore_merges=pre.ignore_merges)
        except Exception:  # the library raises plain Exception
            # A merge may make a token that is hidden from text; it must not be made.
            pairs = [p for p in pairs if p[0] in ids and p[1] in ids and p[0] + p[1] in ids]
            if len(merges) - len(pairs) > 16 + len(merges) // 100:
                raise
            model = models.BPE(ids, pairs, ignore_merges=pre.ignore_merges)
    except Exception as error:
        raise _damaged(
            gguf, f"the merges do not fit the vocabulary: {error}", f"合并规则与词表不符：{error}"
        ) from error
    library = Tokenizer(model)
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in pre.patterns),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return library


def _damaged(gguf: GGUFFile, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{gguf.path.name}: {english}", f"{gguf.path.name}：{chinese}"))


def _unsupported(
    gguf: GGUFFile, english: str, chinese: str, known: Iterable[str]
) -> UnsupportedModelError:
    listed = ", ".join(known)
    return UnsupportedModelError(
        pick(
            f"{gguf.path.name}: {english}; supported are {listed}",
            f"{gguf.path.name}：{chinese}；支持的有 {listed}",
        )
    )
