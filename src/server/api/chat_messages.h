// The messages of a conversation, from OpenAI's form as clients and gateways really send it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/json_fields.h"
#include "text/chat_template.h"

namespace r1::server {

/// Appends a part of a message's text. Parts are lines: neither their writers nor the model know where one ends
/// otherwise.
void append_part(std::string& text, std::string_view part);

/// A content: a text, or a list of parts. Parts that hold thinking go to `reasoning` (null: they are refused). Absent
/// for null and for none. Throws ApiError(unsupported_content) for parts that are no text.
std::optional<std::string> read_content(const Json* content, const std::string& field,
                                        std::optional<std::string>* reasoning);

/// One message of OpenAI's form; `prefix`: whether it is marked as the beginning of the answer. A message of the
/// assistant may be empty: a turn that was cut in its thinking leaves nothing else.
ChatMessage read_message(const Json& entry, const std::string& field, bool& prefix);

/// Puts the results of an assistant's calls into the order of the calls: templates show results without ids, so the
/// model can only go by the order. Results without an id stay in their places. Throws ApiError 400 about `field`
/// where an id fits no call, is given twice, or an earlier call has no result while a later one has.
void order_tool_results(std::vector<ChatMessage>& messages, const std::string& field);

}  // namespace r1::server
