#include "server/api/field_rules.h"

#include <algorithm>

namespace r1::server {
namespace {

constexpr uint32_t bits(RequestObject object) {
  return static_cast<uint32_t>(object);
}

constexpr uint32_t kChat = bits(RequestObject::chat), kCompletion = bits(RequestObject::completion),
                   kResponse = bits(RequestObject::response), kMessages = bits(RequestObject::messages),
                   kEmbedding = bits(RequestObject::embedding), kTokens = bits(RequestObject::tokens),
                   kTool = bits(RequestObject::tool), kHistory = bits(RequestObject::history),
                   kItem = bits(RequestObject::response_item);
constexpr uint32_t kGenerating = kChat | kCompletion | kResponse | kMessages;
constexpr uint32_t kOpenAi = kChat | kCompletion | kResponse | kEmbedding;

// A row a field. Names are those of OpenAI's and Anthropic's references and of their clients' types, and of what vLLM,
// llama.cpp and gateways add to them.
constexpr FieldRule kRules[] = {
    // Hints: who asks, what to cache, how fast and where to answer.
    {kGenerating | kEmbedding, "user"},
    {kGenerating, "metadata"},
    {kOpenAi, "safety_identifier"},
    {kOpenAi, "prompt_cache_key"},
    {kOpenAi, "prompt_cache_retention"},
    {kOpenAi, "prompt_cache_options"},
    {kOpenAi | kMessages, "service_tier"},
    {kChat | kCompletion, "prediction"},
    {kGenerating, "cache_prompt"},
    {kChat, "verbosity"},
    {kChat | kResponse, "store"},  // false keeps a response's items from being remembered
    {kGenerating | kEmbedding, "request_id"},
    {kChat | kCompletion | kTokens, "spaces_between_special_tokens"},
    {kResponse, "client_metadata"},
    {kResponse, "context_management"},
    {kResponse, "background_options"},
    {kResponse, "access_programs"},
    {kMessages, "cache_control"},
    {kMessages, "context_management"},
    {kMessages, "inference_geo"},
    {kMessages, "speed"},
    {kMessages, "betas"},
    {kMessages, "diagnostics"},
    {kMessages, "user_profile_id"},
    {kMessages, "workspace_id"},
    {kMessages, "billing_policy"},
    {kMessages, "fallbacks"},
    {kMessages, "fallback_credit_token"},
    {bits(RequestObject::stream_options), "include_obfuscation"},
    {bits(RequestObject::schema_format), "name"},
    {bits(RequestObject::schema_format), "description"},
    {bits(RequestObject::schema_format), "strict"},
    {bits(RequestObject::response_text), "verbosity"},
    {bits(RequestObject::reasoning), "summary"},
    {bits(RequestObject::reasoning), "generate_summary"},
    {bits(RequestObject::reasoning), "context"},
    {bits(RequestObject::reasoning), "mode"},
    {bits(RequestObject::thinking), "block_binding"},
    {bits(RequestObject::thinking), "display"},  // of messages it is obeyed
    {bits(RequestObject::output_config), "task_budget"},
    {kTool, "strict"},
    {kTool, "cache_control"},
    {kTool, "eager_input_streaming"},
    {kTool, "defer_loading"},
    {kTool, "input_examples"},
    {kTool, "allowed_callers"},
    {kTool, "output_schema"},
    {kTool, "provider_options"},
    {kItem, "id"},
    {kItem, "status"},
    {kItem, "phase"},
    {kItem, "namespace"},
    {kItem, "caller"},
    {kItem, "created_by"},
    {kItem, "internal_chat_message_metadata_passthrough"},

    // What would change the answer and is not served.
    {kGenerating, "use_beam_search", "beam search is not implemented"},
    {kGenerating, "length_penalty", "beam search is not implemented", "1"},
    {kGenerating, "early_stopping", "beam search is not implemented"},
    {kGenerating, "min_tokens", "answers have no least length", "0"},
    {kGenerating, "bad_words", "use logit_bias"},
    {kGenerating, "allowed_token_ids", "use logit_bias or guided_regex"},
    {kGenerating, "mirostat", "mirostat is not implemented", "0"},
    {kGenerating, "xtc_probability", "XTC is not implemented", "0"},
    {kGenerating, "dynatemp_range", "a dynamic temperature is not implemented", "0"},
    {kGenerating, "samplers", "the order of the samplers is fixed"},
    {kGenerating, "grammar", "GBNF is not implemented; use a JSON Schema or a regular expression"},
    {kGenerating, "json_schema", "use response_format or guided_json"},
    {kGenerating, "guided_grammar", "use guided_json or guided_regex"},
    {kGenerating, "structured_outputs", "use response_format, guided_json, guided_regex or guided_choice"},
    {kGenerating, "logits_processors", "there are none"},
    {kGenerating, "prompt_logprobs", "log-probabilities are given for generated tokens", "0"},
    {kGenerating, "n_probs", "use logprobs and top_logprobs", "0"},
    {kGenerating, "truncate_prompt_tokens", "nothing is cut here; shorten the prompt", "-1"},
    {kGenerating, "repeat_penalty", "use repetition_penalty", "1"},
    {kGenerating, "n_predict", "use max_tokens", "-1"},
    {kGenerating, "num_ctx", "the context is the server's: r1 serve -c"},
    {kGenerating, "return_token_ids", "use /tokenize"},
    {kGenerating, "moderation", "there is no moderation"},
    {kChat | kTokens, "chat_template", "the model's own template is used"},
    {kChat, "documents", "give them as text in the messages"},
    {kChat, "functions", "use tools"},
    {kChat, "function_call", "use tool_choice", R"("none")"},
    {kChat, "audio", "there is no audio"},
    {kChat, "modalities", "there is only text", R"(["text"])"},
    {kChat, "web_search_options", "there is no search in this API"},
    {kChat, "echo", "only /v1/completions repeats its prompt"},
    {kCompletion, "suffix", "R1 models were not trained to fill in; only texts to continue are supported"},
    {kResponse, "previous_response_id", "nothing is stored here: send the conversation as input"},
    {kResponse, "conversation", "nothing is stored here: send the conversation as input"},
    {kResponse, "background", "nothing is stored here"},
    {kResponse, "prompt", "there are no stored prompts"},
    {kResponse, "truncation", "nothing is ever cut here", R"("disabled")"},
    {kResponse, "max_tool_calls", "there are no built-in tools"},
    {kResponse, "top_logprobs", "log-probabilities are given by /v1/chat/completions", "0"},
    {kResponse, "image", "there are no images"},
    {kMessages, "n", "not part of this API", "1"},
    {kMessages, "stop", "not part of this API; use stop_sequences"},
    {kMessages, "max_completion_tokens", "not part of this API; use max_tokens"},
    {kMessages, "response_format", "not part of this API; use output_config.format", R"({"type":"text"})"},
    {kMessages, "container", "there are none"},
    {kMessages, "mcp_servers", "there are none"},
    {kMessages, "compaction", "nothing is summarised here"},
    {kMessages, "safeguards", "there are none"},
    {bits(RequestObject::stream_options), "continuous_usage_stats", "usage comes at the end"},
    {kHistory, "audio", "there is no audio"},
    {kHistory, "function_call", "use tool_calls"},
    {kHistory, "images", "there are no images"},
    {kHistory, "videos", "there are no videos"},
    {kHistory, "files", "there are no files"},
    {kHistory, "attachments", "give them as text in the content"},
    {kHistory, "experimental_attachments", "give them as text in the content"},
    {kHistory, "partial", "use prefix"},
};

}  // namespace

std::span<const FieldRule> field_rules() {
  return kRules;
}

const FieldRule* find_rule(RequestObject object, std::string_view name) {
  const auto found = std::ranges::find_if(
      kRules, [&](const FieldRule& rule) { return (rule.objects & bits(object)) != 0 && rule.name == name; });
  return found == std::end(kRules) ? nullptr : &*found;
}

bool is_neutral(const FieldRule& rule, const nlohmann::ordered_json& value) {
  if (value.is_null() || value == false) return true;
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return true;
  if (value.is_array() && value.empty()) return true;
  return !rule.neutral.empty() && value == nlohmann::ordered_json::parse(rule.neutral);
}

}  // namespace r1::server
