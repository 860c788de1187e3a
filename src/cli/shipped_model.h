// The small model that comes with r1 (models/), which commands open when none is named.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace r1::cli {

/// The file's name, in the folder models/ beside the program (the build tree, or both copied together) or in
/// share/r1/models where `cmake --install` puts it.
inline constexpr std::string_view kShippedModelFile = "r1-first-5m-Q8_0.gguf";

/// What it is, for whoever did not ask for it by name.
inline constexpr std::string_view kShippedModelRemark =
    "the model that ships with r1: 5 million parameters, knows school arithmetic and little else";

/// Where it lies, seen from this program. Throws Error(invalid_argument) that says where it was looked for
/// and, with `usage` (as "r1 run MODEL"), how to name another.
std::filesystem::path locate_shipped_model(const std::string& usage);

}  // namespace r1::cli
