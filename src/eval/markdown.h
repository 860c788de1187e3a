// Markdown of reports.
#pragma once

#include <string>
#include <string_view>

namespace r1::eval {

/// A text for a table's cell: names of models and answers may hold anything.
std::string markdown_cell(std::string_view text);

}  // namespace r1::eval
