// Parsing of JSON texts, compiled once: a file that instantiates nlohmann's parser takes two seconds longer to
// compile. Check the nesting of untrusted texts first (base/json_depth.h).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace r1 {

/// `Json`: nlohmann::json or ordered_json. Throws its parse_error.
template <class Json>
Json parse_json_text(std::string_view text);

/// The same, but an invalid text gives a value that is_discarded().
template <class Json>
Json parse_json_or_discard(std::string_view text);

}  // namespace r1
