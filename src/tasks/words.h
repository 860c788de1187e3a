// Words that exercises are about.
#pragma once

#include <string>

#include "tasks/draw.h"

namespace r1::tasks {

/// A common English word in small letters, of least to most letters.
std::string draw_known_word(Draw& draw, size_t least, size_t most);

/// Syllables that mean nothing, in small letters.
std::string draw_invented_word(Draw& draw, int64_t least_syllables, int64_t most_syllables);

}  // namespace r1::tasks
