// Text of files and models on its way to a terminal, which takes some characters for commands.
#pragma once

#include <string>
#include <string_view>

namespace r1::cli {

/// The text with its control characters (ESC, BEL, CR, DEL, U+0080 to U+009F, the marks that turn the
/// direction of writing) and bytes that are no UTF-8 written out as "\x1b" or "\u202e". Tabs stay, and line
/// feeds where `lines`.
std::string terminal_text(std::string_view text, bool lines = false);

}  // namespace r1::cli
