// The formats of strings that JSON Schema names, as regular expressions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grammar/automaton.h"

namespace r1::grammar {

/// Whether the format says anything about strings; what is not known is an annotation (JSON Schema Validation
/// 7.2.3).
bool knows_format(std::string_view name);
/// Texts that every validator takes as of this format: narrower than the format where that is needed.
Automaton format_automaton(std::string_view name, Budget& budget);
/// At least all texts of the format: what is outside of this is surely not of it.
Automaton wide_format_automaton(std::string_view name, Budget& budget);

}  // namespace r1::grammar
