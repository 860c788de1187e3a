// The lines and files of a run's folder as JSON (docs/evaluation.md, "The folder of a run").
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "eval/run.h"

namespace r1::eval {

nlohmann::ordered_json to_json(const RunDescription& description);
/// Throws Error(bad_file) that names the field; fields that it does not know are ignored.
RunDescription read_description(const nlohmann::ordered_json& json, const std::string& file);

nlohmann::ordered_json to_json(const Item& item);
Item read_item(const nlohmann::ordered_json& json, const std::string& place);

/// An answer's line. `key`: answer_key().
nlohmann::ordered_json to_json(const Sample& sample, const std::string& key);
Sample read_sample(const nlohmann::ordered_json& json, const std::string& place);

/// What sample `index` of a question draws with: seed + index, moved by a hash of the question's id, so that samples of
/// different questions are independent. Consecutive for consecutive samples, as a question may be asked for the rest of them
/// alone. Below 2^31, which all servers take, for fewer than 2^17 samples.
uint64_t sample_seed(uint64_t seed, const Item& item, int64_t index);

/// SHA-256 over all that determines the answer: the prompt, the sampling, the seed of this sample and the weights (of an
/// endpoint the model's name).
std::string answer_key(const RunDescription& description, const Item& item, int64_t index);
/// SHA-256 over all that determines a judgement: the judge, its questions and the answer's key.
std::string judgement_key(const std::string& judge, const std::string& answer_key,
                          const std::vector<std::vector<ChatMessage>>& questions);

/// One line; what is no UTF-8 becomes U+FFFD.
std::string line_of(const nlohmann::ordered_json& json);

}  // namespace r1::eval
