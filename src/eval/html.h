// Small helpers of the evaluation page.
#pragma once

#include <string>
#include <string_view>

namespace r1::eval {

/// A text for HTML, between tags or in an attribute with double quotes.
std::string html_text(std::string_view text);

/// JSON for a <script> element: no "<" is left that could end it.
std::string script_json(std::string_view json);

/// "sha256-…" of an inline script or style, for a content security policy.
std::string policy_hash(std::string_view text);

/// The text with its middle left out when it has more than `bytes`, which it says; never within a character.
std::string cut_middle(std::string_view text, size_t bytes);

/// The whole page: page.html with style, script, title and body put in.
std::string assemble_page(std::string_view title, std::string_view body);

}  // namespace r1::eval
