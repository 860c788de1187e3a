// The fields about generating that all APIs share, from JSON to a CompletionSpec.
#pragma once

#include "server/api/json_fields.h"
#include "server/http/response_sink.h"
#include "server/models/completion.h"
#include "server/models/model_host.h"

namespace r1::server {

/// Sets the spec's model, loaded, and its adapter where the name is one's; "": the default model. Throws as
/// ModelHost::choose.
void choose_model(ModelHost& models, const std::string& name, CompletionSpec& spec);

enum class ApiFamily { openai, anthropic };

/// Reads n, seed, temperature, top_p, top_k, …, stop (Anthropic's: stop_sequences), logit_bias, max_tokens. `spec.model`
/// must be set.
void read_generation_fields(JsonFields& fields, CompletionSpec& spec, ApiFamily family = ApiFamily::openai);

/// Reads response_format, guided_json, guided_regex, guided_choice and grammar-like fields; null: no
/// constraint. Compiled grammars are remembered for the next request with the same text.
/// `schema_field`: what the request calls response_format's schema, for messages about errors.
std::shared_ptr<const grammar::Grammar> read_constraint(
    const ServedModel& model, JsonFields& fields,
    const std::string& schema_field = "response_format.json_schema.schema");

/// A grammar for a JSON Schema, from memory when the same was compiled lately.
std::shared_ptr<const grammar::Grammar> schema_constraint(const ServedModel& model, const Json& schema,
                                                          const std::string& field);

struct StreamOptions {
  bool stream = false;
  bool include_usage = false;
  bool resumable = false;
};
StreamOptions read_stream_options(JsonFields& fields);

/// max_tokens is an upper bound, which clients set without knowing the context: behind a long prompt it becomes what
/// is left. A prompt that leaves nothing is refused by start_completion.
void limit_to_context(CompletionSpec& spec);

/// Starts the job; a prompt that does not fit the context is refused with its numbers. `field`: what the request calls
/// the prompt.
std::shared_ptr<CompletionJob> start_completion(CompletionSpec spec,
                                                std::shared_ptr<CompletionObserver> observer,
                                                ModelMetrics& metrics, const std::string& field = "messages");

/// OpenAI's usage object, with DeepSeek's names besides.
Json usage_json(const CompletionUsage& usage);

/// The ids of a list; anything else, and ids that the vocabulary does not have, throw ApiError 400.
std::vector<int32_t> read_token_ids(const Json& list, int64_t vocabulary, const std::string& field);

/// The last event of a stream, and the whole answer, where memory ran out.
inline constexpr std::string_view kOutOfMemoryEvent =
    R"({"error":{"message":"out of memory","type":"overloaded_error","param":null,"code":"out_of_memory"}})";
void respond_out_of_memory(ResponseSink& sink) noexcept;

/// Whether there is no answer, and what the client is told then: the pass failed, or the server ends.
bool has_failed(AnswerEnd end);
ApiError generation_error(const ChoiceResult& result);

/// OpenAI's word for why an answer ended.
std::string_view finish_reason(AnswerEnd end);
/// More than that word says: the stop string that was found, or "loop"; null: nothing.
Json stop_reason(const ChoiceResult& result);

/// A token's log-probability as OpenAI's chat API writes it.
Json token_json(const TextToken& token, const Tokenizer& tokenizer);

/// JSON text; what is no UTF-8 becomes U+FFFD.
std::string to_text(const Json& json);

}  // namespace r1::server
