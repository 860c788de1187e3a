// The corrected template for tool use. Differences from the published one:
//  - the tools are shown to the model, behind the system prompt;
//  - the token that closes a group of calls comes with every group, also of one call;
//  - groups of calls and of tool answers begin anew in every turn;
//  - an assistant's message may hold text and calls;
//  - behind tool answers comes a generation prompt.
#include "text/chat_template.h"

namespace r1 {

const std::string_view kR1ToolTemplate = R"jinja({%- set ns = namespace(system='', outputs=false) %}
{%- for message in messages if message.role == 'system' %}
{%- set ns.system = ns.system ~ ('\n\n' if ns.system else '') ~ message.content %}
{%- endfor %}
{{- bos_token }}{{ ns.system }}
{%- if tools %}
{{- '\n\n' if ns.system }}## Tools

You can call these functions:
{% for tool in tools %}
{%- set function = tool.function if tool.function is defined else tool %}
{{- '\n' ~ (function | tojson) }}
{%- endfor %}


To call functions, end your answer with all calls in exactly this form:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
```json
{"ARGUMENT": VALUE}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
{%- endif %}
{%- macro arguments(call) %}
{{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
{%- endmacro %}
{%- for message in messages %}
{%- if message.role != 'tool' and ns.outputs %}
{{- '<｜tool▁outputs▁end｜>' }}
{%- set ns.outputs = false %}
{%- endif %}
{%- if message.role == 'user' %}
{{- '<｜User｜>' ~ message.content }}
{%- elif message.role == 'assistant' %}
{{- '<｜Assistant｜>' }}
{%- if message.content %}
{{- message.content.split('</think>')[-1].lstrip('\n') if '</think>' in message.content else message.content }}
{%- endif %}
{%- if message.tool_calls %}
{{- '<｜tool▁calls▁begin｜>' }}
{%- for call in message.tool_calls %}
{{- '\n' if not loop.first }}{{ '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' ~ call.function.name }}
{{- '\n```json\n' ~ arguments(call) ~ '\n```<｜tool▁call▁end｜>' }}
{%- endfor %}
{{- '<｜tool▁calls▁end｜>' }}
{%- endif %}
{{- eos_token }}
{%- elif message.role == 'tool' %}
{{- '\n' if ns.outputs else '<｜tool▁outputs▁begin｜>' }}
{%- set ns.outputs = true %}
{{- '<｜tool▁output▁begin｜>' ~ message.content ~ '<｜tool▁output▁end｜>' }}
{%- elif message.role != 'system' %}
{{- raise_exception('unknown role: ' ~ message.role) }}
{%- endif %}
{%- endfor %}
{%- if ns.outputs %}
{{- '<｜tool▁outputs▁end｜>' }}
{%- endif %}
{%- if add_generation_prompt %}
{{- '<｜Assistant｜><think>\n' }}
{%- endif %}
)jinja";

}  // namespace r1
