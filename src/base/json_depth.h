// How deep the brackets of a JSON text lie: asked before anything recurses over its values.
#pragma once

#include <string_view>

namespace r1 {

/// Levels that a text from outside may have, where nothing else is said.
inline constexpr int kMostJsonLevels = 64;

/// Whether arrays and objects lie in each other more than `levels` deep. Looks at brackets and strings only:
/// the text need not be sound. nlohmann's parser takes any depth, its copies and its dump() recurse: a text
/// of some megabytes ends the program there.
bool is_nested_deeper(std::string_view json, int levels);

}  // namespace r1
