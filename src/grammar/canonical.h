// Equality of JSON documents as JSON Schema has it (Core 4.2.2).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace r1::grammar {

/// The same text for documents that are equal: members in order, 1.0 as 1.
std::string canonical(const nlohmann::ordered_json& value);
/// Of a document's text; of what is not JSON, the text itself.
std::string canonical_text(std::string_view text);

}  // namespace r1::grammar
