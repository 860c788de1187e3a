// The word that somebody meant.
#pragma once

#include <string>
#include <vector>

namespace r1::cli {

/// The known word with the fewest letters inserted, left out, replaced or swapped with a neighbour, the first of equals;
/// "" where that takes more than a third of the letters.
std::string nearest_word(const std::string& word, const std::vector<std::string>& known);

}  // namespace r1::cli
