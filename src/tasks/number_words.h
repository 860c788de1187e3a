// Numbers as words and in other digits, as people type them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace r1::tasks {

/// "thirty-four", "two hundred and five"; 0 ≤ value ≤ 9999. `hyphen`: between tens and ones, "-" or " ".
std::string english_number(int64_t value, std::string_view hyphen = "-", bool has_and = true);

/// "三十四", "二百零五", "两千零三"; 0 ≤ value ≤ 9999.
std::string chinese_number(int64_t value);

/// ASCII characters from '!' to '~' as their full-width forms (３４); others stay.
std::string full_width(std::string_view text);

}  // namespace r1::tasks
