"""What `Model` adds to its parts: prompts, chats, information."""

from typing import Any

import pytest

from fakes import BOS, TURN, fake_model
from qingyu.engine.sampling import Sampling
from qingyu.errors import InvalidRequestError, TemplateError

HELLO = [{"role": "user", "content": "hi"}]


def test_text_and_tokens_are_the_same_prompt() -> None:
    model = fake_model({"hello": "world"})
    assert model.generate("hello").read().text == "world"
    assert model.generate(list(b"hello")).read().text == "world"
    assert model.generate(tuple(b"hello")).read().text == "world"


def test_tokenize_and_detokenize() -> None:
    model = fake_model(add_bos=True)
    assert model.tokenize("a<eos>") == [BOS, 97, *b"<eos>"]
    assert model.tokenize("a<turn>", special=True) == [BOS, 97, TURN]
    assert model.detokenize([BOS, 97], skip_special=True) == "a"


def test_an_empty_prompt_starts_from_bos() -> None:
    model = fake_model(script=lambda history: 65 if history == (BOS,) else TURN)
    assert model.generate("").read().text == "A"


def test_an_empty_prompt_without_any_start_token_is_an_error() -> None:
    model = fake_model()
    model.tokenizer.bos_id = None
    model.tokenizer.eos_ids = frozenset()
    with pytest.raises(InvalidRequestError, match="empty"):
        model.generate("")


def test_chat_goes_through_the_template() -> None:
    model = fake_model(script=lambda history: 65 if history[-1] == ord(" ") else TURN)
    result = model.chat(HELLO).read()
    assert (result.text, result.stop_reason) == ("A", "end")
    assert result.prompt_tokens == len("user: hi") + 1 + len("assistant: ")
    assert model.chat_tokens(HELLO, add_generation_prompt=False)[-1] == TURN


def test_template_values_reach_the_template() -> None:
    tokens = fake_model().chat_tokens(HELLO, template_values={"lead": "robot: "})
    assert bytes(tokens[-7:]) == b"robot: "
    assert fake_model().chat(HELLO, template_values={"lead": ""}, max_tokens=1).read().tokens


def test_a_conversation_computes_only_its_new_turn() -> None:
    model = fake_model(script=lambda history: 65 if history[-1] == ord(" ") else TURN)
    first = model.chat(HELLO).read()
    longer = [*HELLO, {"role": "assistant", "content": first.text}, *HELLO]
    second = model.chat(longer).read()
    assert second.cached_tokens == first.prompt_tokens + 1
    cold = fake_model(script=lambda history: 65 if history[-1] == ord(" ") else TURN)
    assert cold.chat(longer).read().tokens == second.tokens


def test_chat_without_a_template_names_the_flag() -> None:
    with pytest.raises(TemplateError, match="--template"):
        fake_model(template=False).chat(HELLO)


@pytest.mark.parametrize("messages", [[], "hi", {"role": "user", "content": "hi"}])
def test_messages_that_cannot_be(messages: Any) -> None:
    with pytest.raises(InvalidRequestError, match="messages"):
        fake_model().chat(messages)


def test_keywords_override_a_sampling() -> None:
    model = fake_model()
    base = Sampling(temperature=1.0, top_k=20)
    one = model.generate("a", max_tokens=8, sampling=base, seed=3).read()
    two = model.generate("a", max_tokens=8, temperature=1.0, top_k=20, seed=3).read()
    assert one.tokens == two.tokens
    assert one.seed == 3
    assert model.generate("a", max_tokens=1, sampling=base).read().seed is not None
    with pytest.raises(InvalidRequestError, match="top_p"):
        model.generate("a", sampling=base, top_p=7)


def test_as_a_context_manager_it_closes() -> None:
    with fake_model({"q": "a"}) as model:
        assert model.generate("q").read().text == "a"
    assert model.core.closed
