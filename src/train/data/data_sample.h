// One sample of a data set before it is rendered: a text, a conversation, or a pair of answers; and the forms
// in which data files give them (docs/data.md).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "train/choices.h"
#include "train/data/records.h"

namespace r1 {

inline std::string_view name_of(DataFormat format) {
  return text_of(format);
}

/// An answer of the assistant. No reasoning: the thinking stays closed; an empty one: it is opened and closed
/// again by the model.
struct DataSample {
  DataFormat format = DataFormat::automatic;
  std::string text;                         // DataFormat::text
  std::vector<ChatMessage> messages;        // ends with an assistant's; of a pair, before the answers
  BoxedJson<nlohmann::ordered_json> tools;  // a list in OpenAI's form, or null
  std::optional<ChatMessage> chosen, rejected;
  bool desirable = true;  // kto
  std::string place;      // "file:line"
};

struct ReadOptions {
  DataFormat format = DataFormat::automatic;
  /// Own names of columns: from the name that the format has to the one in the file.
  std::map<std::string, std::string> columns;
  /// Whether a field `label` with true or false makes a record DataFormat::kto; else it is passed over.
  bool labels = true;
};

/// From "question=Frage", …. Throws Error(invalid_argument) for anything else, and for a field that no form
/// has.
std::map<std::string, std::string> column_names(const std::vector<std::string>& texts);

/// Throws Error(bad_file): "file:line: field 'answer': expected a text, found nothing (fields: …)".
/// With DataFormat::automatic each record tells its own form; those that fit none are refused with what was
/// looked for.
DataSample make_data_sample(const Record& record, const ReadOptions& options);

/// All samples of a file. `bad`: as in read_records.
void read_data_samples(const std::filesystem::path& path, const ReadOptions& options,
                       const std::function<void(DataSample)>& emit, const BadLine& bad = {});

}  // namespace r1
