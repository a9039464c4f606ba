"""Chat templates by name, for models whose file has none.

    NAMED_TEMPLATES["chatml"]

Written here, not taken from any model; they print the formats the families document. In all
of them a message without content counts as an empty one.
"""

from __future__ import annotations

_CHATML = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""

_LLAMA3 = """\
{{- bos_token -}}
{%- for message in messages -%}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' -}}
{{- (message['content'] or '') | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
{%- endif -%}
"""

# System text goes in front of the first question: the format has no place of its own for it.
_MISTRAL = """\
{{- bos_token -}}
{%- set ns = namespace(system='') -%}
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}
{%- set ns.system = ns.system + (message['content'] or '') + '\\n\\n' -%}
{%- elif message['role'] == 'user' -%}
{{- '[INST] ' + ns.system + (message['content'] or '') + ' [/INST]' -}}
{%- set ns.system = '' -%}
{%- elif message['role'] == 'assistant' -%}
{{- ' ' + (message['content'] or '') | trim + eos_token -}}
{%- else -%}
{{- raise_exception('the mistral template knows system, user and assistant, not '
    + message['role']) -}}
{%- endif -%}
{%- endfor -%}
"""

_MINICPM = """\
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}
{{- '<用户>' + (message['content'] or '') | trim + '<AI>' -}}
{%- else -%}
{{- (message['content'] or '') | trim -}}
{%- endif -%}
{%- endfor -%}
"""

_PLAIN = """\
{%- for message in messages -%}
{{- message['role'] + ': ' + (message['content'] or '') | trim + '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'assistant:' -}}{%- endif -%}
"""

NAMED_TEMPLATES: dict[str, str] = {
    "chatml": _CHATML,
    "llama3": _LLAMA3,
    "mistral": _MISTRAL,
    "minicpm": _MINICPM,
    "plain": _PLAIN,
}
