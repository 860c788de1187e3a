// Records of a data file: objects of named fields, each with the place where it stands.
//
//   .jsonl          one JSON object a line; blank lines are allowed
//   .json           a list of objects, or one object a line
//   .csv, .tsv      RFC 4180: a header of column names; quoted fields may hold line breaks; the separator is
//                   the first of , ; and tab in the header
//   .txt, .md, …    the whole file is one record {"text": …}
// All are UTF-8; a byte order mark is passed over.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/boxed_json.h"

namespace r1 {

struct Record {
  BoxedJson<nlohmann::ordered_json> fields;  // an object
  std::string place;                         // "file:line" of its first character
  bool is_table_row = false;  // of .csv and .tsv: every field is a text, empty where a cell is empty
};

/// Called with a bad line's error instead of throwing it; reading goes on behind the line.
using BadLine = std::function<void(const std::string& message)>;

/// For messages: one line of at most about 100 bytes, whatever the text.
std::string short_text(std::string_view text);

/// Calls `emit` for each record, in order. Throws Error(bad_file) that names file, line, field, what was
/// expected and what was found (or hands it to `bad`, when given), also for a file without any; Error(io)
/// when the file cannot be read, Error(unsupported) for another ending. `name` is the file's, for places; its
/// ending tells the form.
void parse_records(const std::string& text, const std::string& name, const std::function<void(Record)>& emit,
                   const BadLine& bad = {});
void read_records(const std::filesystem::path& path, const std::function<void(Record)>& emit,
                  const BadLine& bad = {});

}  // namespace r1
