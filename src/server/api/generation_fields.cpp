#include "server/api/generation_fields.h"

#include <charconv>
#include <cmath>

#include "grammar/regex_grammar.h"
#include "grammar/schema_grammar.h"
#include "server/http/random_id.h"

namespace r1::server {
namespace {

std::shared_ptr<const grammar::Grammar> compiled(const ServedModel& model, const std::string& field,
                                                 const std::string& key,
                                                 const ServedModel::CompileGrammar& compile) {
  try {
    return model.grammar(key, compile);
  } catch (const Error& error) {
    throw ApiError(400, field,
                   error.kind() == ErrorKind::unsupported ? "unsupported_schema" : "invalid_schema",
                   fmt::format("{}: {}", field, error.what()));
  }
}

void read_logit_bias(JsonFields& fields, CompletionSpec& spec) {
  const Json* bias = fields.object("logit_bias");
  if (bias == nullptr) return;
  for (const auto& [key, value] : bias->items()) {
    int32_t token = -1;
    const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (problem != std::errc() || end != key.data() + key.size() || token < 0 ||
        token >= spec.model->info().vocabulary) {
      refuse("logit_bias", "logit_bias: expected token ids from 0 to {}, found \"{}\"",
             spec.model->info().vocabulary - 1, key.substr(0, 40));
    }
    if (!value.is_number() || std::abs(value.get<double>()) > 100)
      refuse("logit_bias", "logit_bias: expected numbers from -100 to 100, found {}",
             value.dump().substr(0, 40));
    spec.sampling.logit_bias[token] = value.get<float>();
  }
}

}  // namespace

void choose_model(ModelHost& models, const std::string& name, CompletionSpec& spec) {
  ModelHost::Choice choice = models.choose(name);
  spec.model = std::move(choice.model);
  spec.adapter = choice.adapter;
  spec.model_name = std::move(choice.name);
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::shared_ptr<const grammar::Grammar> schema_constraint(const ServedModel& model, const Json& schema,
                                                          const std::string& field) {
  if (!schema.is_object() && !schema.is_boolean())
    refuse(field, "{}: expected a JSON Schema, found {}", field, schema.type_name());
  return compiled(model, field, "schema " + schema.dump(), [&] { return grammar::compile_schema(schema); });
}

void read_generation_fields(JsonFields& fields, CompletionSpec& spec, ApiFamily family) {
  const bool openai = family == ApiFamily::openai;
  SamplingOptions& sampling = spec.sampling;
  const auto number = [&](const char* name, float& value, double low, double high) {
    if (const auto given = fields.number(name, low, high)) value = static_cast<float>(*given);
  };
  if (openai) spec.choices = fields.integer("n", 1, 128).value_or(1);
  const auto seed = fields.integer("seed");
  sampling.seed = seed ? static_cast<uint64_t>(*seed) : random_seed();
  number("temperature", sampling.temperature, 0, 2);
  number("top_p", sampling.top_p, 0, 1);
  number("min_p", sampling.min_p, 0, 1);
  number("typical_p", sampling.typical_p, 0, 1);
  number("presence_penalty", sampling.presence_penalty, -2, 2);
  number("frequency_penalty", sampling.frequency_penalty, -2, 2);
  number("repetition_penalty", sampling.repetition_penalty, 0.01, 10);
  number("dry_multiplier", sampling.dry_multiplier, 0, 100);
  number("dry_base", sampling.dry_base, 1, 100);
  const auto count = [&](const char* name, int32_t& value, int64_t low, int64_t high) {
    if (const auto given = fields.integer(name, low, high)) value = static_cast<int32_t>(*given);
  };
  count("dry_allowed_length", sampling.dry_allowed_length, 1, 1'000'000);
  count("dry_penalty_last_n", sampling.dry_window, -1, 1'000'000'000);
  count("repeat_last_n", sampling.penalty_window, -1, 1'000'000'000);
  if (const auto top_k = fields.integer("top_k", -1, 1'000'000))
    sampling.top_k = static_cast<int32_t>(std::max<int64_t>(0, *top_k));
  if (sampling.top_p == 0) sampling.top_p = 1e-6F;  // OpenAI allows it: the likeliest token alone
  if (sampling.typical_p == 0) sampling.typical_p = 1e-6F;
  read_logit_bias(fields, spec);

  const char* const stop_field = openai ? "stop" : "stop_sequences";
  spec.stop_strings = fields.texts(stop_field, 16);
  for (const std::string& stop : spec.stop_strings) {
    if (stop.empty()) refuse(stop_field, "{}: expected texts, found an empty one", stop_field);
  }
  if (const Json* tokens = fields.array("stop_token_ids"))
    spec.stop_tokens = read_token_ids(*tokens, spec.model->info().vocabulary, "stop_token_ids");
  spec.include_stop = fields.boolean("include_stop_str_in_output").value_or(false);
  spec.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  spec.skip_special = fields.boolean("skip_special_tokens").value_or(true);
  spec.loop_detection = fields.boolean("loop_detection").value_or(spec.loop_detection);
  spec.priority = static_cast<int32_t>(fields.integer("priority", -1'000'000, 1'000'000).value_or(0));

  constexpr int64_t kMaxTokens = int64_t{1} << 40;
  const auto limit = [&](const char* name) -> std::optional<int64_t> {
    const auto given = fields.integer(name, -1, kMaxTokens);  // -1: no limit, as llama.cpp has it
    if (given && *given == 0) refuse(name, "{}: expected at least 1, or -1 for no limit, found 0", name);
    return given;
  };
  const auto max_tokens = limit("max_tokens");
  const auto max_completion = openai ? limit("max_completion_tokens") : std::nullopt;
  if (max_tokens && max_completion && *max_tokens != *max_completion)
    refuse("max_tokens", "max_tokens and max_completion_tokens: expected one of them, found both");
  spec.max_tokens = max_completion ? *max_completion : max_tokens.value_or(spec.max_tokens);

  if (const auto best_of = fields.integer("best_of", 1, 128); best_of && *best_of != spec.choices)
    throw ApiError(400, "best_of", "unsupported_parameter",
                   "best_of: not supported: only best_of equal to n");
}

std::shared_ptr<const grammar::Grammar> read_constraint(const ServedModel& model, JsonFields& fields,
                                                        const std::string& schema_field) {
  std::shared_ptr<const grammar::Grammar> result;
  const auto set = [&](const char* field, std::shared_ptr<const grammar::Grammar> made) {
    if (result) refuse(field, "{}: more than one constraint on the answer", field);
    result = std::move(made);
  };
  const auto regex = [&](const std::string& field, const std::string& pattern) {
    return compiled(model, field, "regex " + pattern, [&] { return grammar::compile_regex(pattern); });
  };
  if (const Json* format = fields.object("response_format")) {
    JsonFields inner(*format, "response_format");
    const std::string type = inner.require("type").is_string()
                                 ? *inner.choice("type", {"text", "json_object", "json_schema", "regex"})
                                 : inner.required_text("type");
    if (type == "json_object") {
      set("response_format",
          compiled(model, "response_format", "json object", [] { return grammar::compile_json_object(); }));
    } else if (type == "json_schema") {
      inner.require("json_schema");
      JsonFields wrapper(*inner.object("json_schema"), "response_format.json_schema",
                         RequestObject::schema_format);
      set("response_format", schema_constraint(model, wrapper.require("schema"), schema_field));
      wrapper.refuse_unknown();
    } else if (type == "regex") {
      set("response_format", regex("response_format.pattern", inner.required_text("pattern")));
    }
    inner.refuse_unknown();
  }
  if (const Json* schema = fields.find("guided_json")) {
    const Json parsed =
        schema->is_string() ? parse_json(schema->get_ref<const std::string&>(), "guided_json") : *schema;
    set("guided_json", schema_constraint(model, parsed, "guided_json"));
  }
  if (const auto pattern = fields.text("guided_regex")) set("guided_regex", regex("guided_regex", *pattern));
  if (const std::vector<std::string> choices = fields.texts("guided_choice", 1000); !choices.empty()) {
    set("guided_choice", compiled(model, "guided_choice", "choice " + Json(choices).dump(),
                                  [&] { return grammar::compile_choices(choices); }));
  }
  return result;
}

StreamOptions read_stream_options(JsonFields& fields) {
  StreamOptions options;
  options.stream = fields.boolean("stream").value_or(false);
  const Json* given = fields.object("stream_options");
  if (given == nullptr) return options;
  if (!options.stream) refuse("stream_options", "stream_options: only together with stream: true");
  JsonFields inner(*given, "stream_options", RequestObject::stream_options);
  options.include_usage = inner.boolean("include_usage").value_or(false);
  options.resumable = inner.boolean("resumable").value_or(false);
  inner.refuse_unknown();
  return options;
}

void limit_to_context(CompletionSpec& spec) {
  const int64_t left = spec.model->context_length() - std::ssize(spec.prompt);
  spec.max_tokens = std::min(spec.max_tokens, std::max<int64_t>(1, left));  // -1 stays: no limit
}

std::shared_ptr<CompletionJob> start_completion(CompletionSpec spec,
                                                std::shared_ptr<CompletionObserver> observer,
                                                ModelMetrics& metrics, const std::string& field) {
  const auto prompt_tokens = std::ssize(spec.prompt);
  const int64_t context = spec.model->context_length();
  try {
    return CompletionJob::start(std::move(spec), std::move(observer), metrics);
  } catch (const Error& error) {
    ApiError refusal = to_api_error(error);
    if (error.kind() == ErrorKind::context_overflow) {
      refusal.param = field;
      refusal.extra["n_prompt_tokens"] = prompt_tokens;
      refusal.extra["n_ctx"] = context;
    }
    throw refusal;
  }
}

Json usage_json(const CompletionUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
          {"prompt_cache_hit_tokens", usage.cached_tokens},
          {"prompt_cache_miss_tokens", usage.prompt_tokens - usage.cached_tokens}};
}

std::vector<int32_t> read_token_ids(const Json& list, int64_t vocabulary, const std::string& field) {
  std::vector<int32_t> tokens;
  for (const Json& token : list) {
    if (!token.is_number_integer() || token.get<double>() < 0 ||
        token.get<double>() >= static_cast<double>(vocabulary))
      refuse(field, "{}: expected token ids from 0 to {}, found {}", field, vocabulary - 1,
             token.dump().substr(0, 40));
    tokens.push_back(token.get<int32_t>());
  }
  return tokens;
}

void respond_out_of_memory(ResponseSink& sink) noexcept {
  try {
    sink.respond(error_response({503, "", "out_of_memory", "out of memory"}));
  } catch (const std::exception&) {  // the client's own time limit ends it
  }
}

bool has_failed(AnswerEnd end) {
  return end == AnswerEnd::cancelled || end == AnswerEnd::error;
}

ApiError generation_error(const ChoiceResult& result) {
  if (result.end == AnswerEnd::cancelled) return {503, "", "cancelled", "the server is shutting down"};
  // Every token was forbidden: by logit_bias, or by a form that this model's tokens cannot write.
  if (result.summary.error_kind == ErrorKind::invalid_argument)
    return {400, "", "contradictory_request",
            fmt::format("the request leaves no token for the answer: {}", result.error)};
  if (result.summary.error_kind == ErrorKind::out_of_memory) return {503, "", "out_of_memory", result.error};
  return {500, "", "generation_failed", result.error};
}

std::string_view finish_reason(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::length:
      return "length";
    case AnswerEnd::tool_calls:
      return "tool_calls";
    default:
      return "stop";
  }
}

Json stop_reason(const ChoiceResult& result) {
  if (!result.stop_string.empty()) return result.stop_string;
  return result.end == AnswerEnd::loop ? Json("loop") : Json();
}

Json token_json(const TextToken& token, const Tokenizer& tokenizer) {
  const auto fields = [](std::string text, std::string_view bytes, float log_probability) {
    Json list = Json::array();
    for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
    return Json{{"token", std::move(text)},
                {"logprob", std::max(-9999.0F, log_probability)},
                {"bytes", std::move(list)}};
  };
  const auto one = [&](const TokenProbability& probability) {
    const bool known = probability.token < tokenizer.size();
    const std::string_view bytes = known ? tokenizer.token_bytes(probability.token) : std::string_view();
    const bool special = known && bytes.empty();
    return fields(std::string(special ? tokenizer.token_text(probability.token) : bytes), bytes,
                  probability.log_probability);
  };
  const TokenProbability chosen = token.token.chosen.value_or(TokenProbability{token.token.token, 0});
  Json result = token.part ? fields(*token.part, *token.part, chosen.log_probability) : one(chosen);
  result["top_logprobs"] = Json::array();
  for (const TokenProbability& probability : token.token.top)
    result["top_logprobs"].push_back(one(probability));
  return result;
}

}  // namespace r1::server
