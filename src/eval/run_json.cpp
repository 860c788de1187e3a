#include "eval/run_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "formats/sha256.h"

namespace r1::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kEnds[] = {"stop", "length", "loop", "error"};  // Sample::End

/// A field of the type of `value`; absent: `value` stays.
template <class Value>
void read(const Json& json, const char* name, Value& value, const std::string& place) {
  const auto found = json.find(name);
  if (found == json.end()) return;
  try {
    value = found->get<Value>();
  } catch (const nlohmann::json::exception&) {
    throw_error(ErrorKind::bad_file, "{}: {}: found {}", place, name, found->dump().substr(0, 100));
  }
}

template <class Value>
void require(const Json& json, const char* name, Value& value, const std::string& place) {
  if (!json.contains(name)) throw_error(ErrorKind::bad_file, "{}: expected a field '{}'", place, name);
  read(json, name, value, place);
}

void require_object(const Json& json, const std::string& place) {
  if (!json.is_object()) throw_error(ErrorKind::bad_file, "{}: expected a JSON object", place);
}

Json messages_json(const std::vector<ChatMessage>& messages) {
  Json list = Json::array();
  for (const ChatMessage& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content.value_or("")}});
  return list;
}

/// The fields of an answer that a try has as well.
Json answer_json(const Sample& sample) {
  Json json = {{"end", kEnds[static_cast<size_t>(sample.end)]}};
  if (sample.in_reasoning) json["in_reasoning"] = true;
  if (sample.unmarked) json["unmarked"] = true;
  if (!sample.error.empty()) json["error"] = sample.error;
  json["tokens"] = sample.tokens;
  json["reasoning_tokens"] = sample.reasoning_tokens;
  json["seconds"] = sample.seconds;
  json["reasoning"] = sample.reasoning;
  json["answer"] = sample.answer;
  return json;
}

void read_answer(const Json& json, Sample& sample, const std::string& place) {
  std::string end;
  require(json, "end", end, place);
  const auto* const found = std::ranges::find(kEnds, end);
  if (found == std::end(kEnds))
    throw_error(ErrorKind::bad_file, "{}: end: expected stop, length, loop or error, found '{}'", place, end);
  sample.end = static_cast<Sample::End>(found - std::begin(kEnds));
  read(json, "in_reasoning", sample.in_reasoning, place);
  read(json, "unmarked", sample.unmarked, place);
  read(json, "error", sample.error, place);
  read(json, "tokens", sample.tokens, place);
  read(json, "reasoning_tokens", sample.reasoning_tokens, place);
  read(json, "seconds", sample.seconds, place);
  read(json, "reasoning", sample.reasoning, place);
  require(json, "answer", sample.answer, place);
}

}  // namespace

Json to_json(const RunDescription& run) {
  Json json;
  json["benchmark"] = run.benchmark;
  json["model"] = run.model;
  json["weights_sha256"] = run.weights_sha256;
  json["endpoints"] = run.endpoints;
  json["data_file"] = run.data_file;
  json["data_sha256"] = run.data_sha256;
  json["samples"] = run.samples;
  json["limit"] = run.limit;
  json["shard"] = run.shard;
  json["shards"] = run.shards;
  json["questions"] = run.questions;
  json["temperature"] = run.temperature;
  json["top_p"] = run.top_p;
  json["further_sampling"] = run.further_sampling;
  json["cache_types"] = run.cache_types;
  json["max_tokens"] = run.max_tokens;
  json["context_length"] = run.context_length;
  json["seed"] = run.seed;
  json["system_prompt"] = run.system_prompt;
  json["judge"] = run.judge;
  json["version"] = run.version;
  return json;
}

RunDescription read_description(const Json& json, const std::string& file) {
  require_object(json, file);
  RunDescription run;
  require(json, "benchmark", run.benchmark, file);
  require(json, "model", run.model, file);
  read(json, "weights_sha256", run.weights_sha256, file);
  read(json, "endpoints", run.endpoints, file);
  read(json, "data_file", run.data_file, file);
  read(json, "data_sha256", run.data_sha256, file);
  require(json, "samples", run.samples, file);
  read(json, "limit", run.limit, file);
  read(json, "shard", run.shard, file);
  read(json, "shards", run.shards, file);
  read(json, "questions", run.questions, file);
  read(json, "temperature", run.temperature, file);
  read(json, "top_p", run.top_p, file);
  read(json, "further_sampling", run.further_sampling, file);
  read(json, "cache_types", run.cache_types, file);
  read(json, "max_tokens", run.max_tokens, file);
  read(json, "context_length", run.context_length, file);
  read(json, "seed", run.seed, file);
  read(json, "system_prompt", run.system_prompt, file);
  read(json, "judge", run.judge, file);
  read(json, "version", run.version, file);
  return run;
}

Json to_json(const Item& item) {
  Json json = {{"id", item.id}, {"line", item.line}};
  if (!item.group.empty()) json["group"] = item.group;
  json["messages"] = messages_json(item.messages);
  json["fields"] = Json::parse(item.fields->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return json;
}

Item read_item(const Json& json, const std::string& place) {
  require_object(json, place);
  Item item;
  require(json, "id", item.id, place);
  require(json, "line", item.line, place);
  read(json, "group", item.group, place);
  Json messages, fields;
  require(json, "messages", messages, place);
  require(json, "fields", fields, place);
  item.messages.reserve(messages.size());
  for (const Json& message : messages) item.messages.push_back(ChatMessage::from_json(message));
  item.fields = nlohmann::json(fields);
  return item;
}

Json to_json(const Sample& sample, const std::string& key) {
  Json json = {{"item", sample.item}, {"sample", sample.index}, {"key", key}};
  json.update(answer_json(sample));
  for (const Sample& earlier : sample.earlier_tries) json["earlier_tries"].push_back(answer_json(earlier));
  return json;
}

Sample read_sample(const Json& json, const std::string& place) {
  require_object(json, place);
  Sample sample;
  require(json, "item", sample.item, place);
  require(json, "sample", sample.index, place);
  read_answer(json, sample, place);
  if (!json.contains("earlier_tries")) return sample;
  for (const Json& earlier : json["earlier_tries"]) {
    Sample& added = sample.earlier_tries.emplace_back();
    added.item = sample.item;
    added.index = sample.index;
    read_answer(earlier, added, place);
  }
  return sample;
}

uint64_t sample_seed(uint64_t seed, const Item& item, int64_t index) {
  constexpr uint64_t kMostSamples = uint64_t{1} << 17U, kSeeds = uint64_t{1} << 31U;
  const uint64_t first = (seed + mix_bits(fnv1a(item.id)) * kMostSamples) % (kSeeds - kMostSamples);
  return first + static_cast<uint64_t>(index);
}

std::string answer_key(const RunDescription& run, const Item& item, int64_t index) {
  Json json;
  json["messages"] = messages_json(item.messages);
  json["temperature"] = run.temperature;
  json["top_p"] = run.top_p;
  json["further_sampling"] = run.further_sampling;
  json["max_tokens"] = run.max_tokens;
  json["context_length"] = run.context_length;
  json["seed"] = sample_seed(run.seed, item, index);
  json["weights"] = run.weights_sha256.empty() ? "endpoint " + run.model : run.weights_sha256;
  json["cache_types"] = run.cache_types;
  return sha256(line_of(json));
}

std::string judgement_key(const std::string& judge, const std::string& answer_key,
                          const std::vector<std::vector<ChatMessage>>& questions) {
  Json json = {{"judge", judge}, {"answer", answer_key}, {"questions", Json::array()}};
  for (const std::vector<ChatMessage>& question : questions)
    json["questions"].push_back(messages_json(question));
  return sha256(line_of(json));
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace r1::eval
