// How the store's own files read and write rows; no part of its interface.
#pragma once

#include <optional>
#include <string>

#include "server/content/conversation.h"

namespace r1::site {

/// Of "nodes n", as ConversationStore::node_of_row() reads them: columns 0 to 16.
inline constexpr const char* kNodeColumns =
    "n.key, n.id, (SELECT id FROM nodes WHERE key = n.parent), n.role, n.created, n.content, n.reasoning, "
    "n.thinking_ms, n.state, n.model, n.deep_think, n.search, n.error, n.usage, n.timing, n.request, "
    "n.sources";

/// The text of a column; null: NULL.
inline std::optional<std::string> dumped(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace r1::site
