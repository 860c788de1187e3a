// Regular expressions as automata and as grammars.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/automaton.h"
#include "grammar/grammar.h"

namespace r1::grammar {

/// The texts that the expression (regex_syntax.h) matches. `search`: it need only match somewhere, unless ^ and
/// $ say otherwise (as JSON Schema's "pattern"); otherwise it matches the whole text. Look-ahead is supported
/// where no repetition holds it. Throws Error(invalid_argument) for a malformed expression and for one above the
/// budget, Error(unsupported) for what is not understood.
Automaton regex_automaton(std::string_view expression, bool search, Budget& budget);

/// The automaton's texts as they are.
Fragment add_text(GrammarBuilder& builder, const Automaton& automaton);
/// The automaton's texts inside the quotes of a JSON string: escaped where JSON demands it, with the short
/// escapes. Control characters without one are left out.
Fragment add_json_text(GrammarBuilder& builder, const Automaton& automaton);

/// A grammar of the texts that the expression matches as a whole.
std::shared_ptr<const Grammar> compile_regex(std::string_view expression, Budget& budget);
std::shared_ptr<const Grammar> compile_regex(std::string_view expression);

}  // namespace r1::grammar
