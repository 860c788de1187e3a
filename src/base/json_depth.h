// Nesting depth of a JSON text, checked before anything recurses over its values.
#pragma once

#include <string_view>

namespace r1 {

/// Nesting levels of untrusted JSON, unless a caller says otherwise.
inline constexpr int kMaxJsonLevels = 64;

/// Whether arrays and objects are nested more than `levels` deep. Reads brackets and strings only: the text may be
/// invalid JSON. nlohmann's parser accepts any depth, but its copies and its dump() recurse: a text of a few megabytes
/// would overflow the stack there.
bool is_nested_deeper(std::string_view json, int levels);

}  // namespace r1
