// The records of a benchmark's data file: .jsonl, .json (a list, or one object a line), .csv and .tsv (RFC 4180, UTF-8, a byte
// order mark is passed over), each also gzipped with the ending .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/boxed_json.h"
#include "eval/benchmark.h"

namespace r1::eval {

/// The objects of a file, in its order. Throws Error(io) for a file that cannot be read, Error(bad_file) that names file and line
/// for a bad record, Error(unsupported) for another ending or a file that unpacks to more than 4 GiB.
std::vector<BoxedJson<nlohmann::json>> read_data(const std::filesystem::path& file);

/// The questions of a data file.
struct ItemList {
  std::vector<Item> items;  // in the file's order; ids are unique
  /// Records that are not asked, with the reason (Item::excluded): "bad question clarity".
  std::vector<std::pair<std::string, std::string>> excluded{};
};

/// Reads all records by Benchmark::read_item. Where not every record has an id of its own, all ids are 0-based record numbers.
/// Throws as read_data(), and Error(bad_file) that names the record and the field.
ItemList read_items(const Benchmark& benchmark, const std::filesystem::path& file,
                    const ItemOptions& options = {});

}  // namespace r1::eval
