// Reads JSON files with checks that the plain parser lacks: duplicate keys and too deep nesting are refused.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace r1 {

/// The whole file. Error(io) when it cannot be read.
std::string read_text_file(const std::filesystem::path& path);

/// Throws Error(bad_file) with `name` for text that is no JSON, has a key twice in one object, or is nested
/// deeper than kMaxJsonLevels.
nlohmann::json parse_json(std::string_view text, const std::string& name);
nlohmann::json read_json(const std::filesystem::path& path);

/// For messages: at most about 80 bytes of the value.
std::string short_json(const nlohmann::json& value);

}  // namespace r1
