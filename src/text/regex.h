// A compiled regular expression of a tokenizer.json, run by PCRE2 with its JIT compiler.
//
// The hub's expressions are written for Oniguruma (Ruby syntax, Unicode). They are translated where PCRE2
// differs (\s \S \w \W \d \D, inline (?i:…), which folds ASCII letters only), and refused by name where the
// difference is not covered (class intersections, POSIX classes, back references, other inline options).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace r1 {

/// Const and safe to use from several threads.
class Regex {
 public:
  /// Throws Error(unsupported) for syntax outside the translated subset, Error(bad_file) when PCRE2 refuses
  /// it.
  explicit Regex(std::string_view hub_pattern);

  /// Appends the [begin, end) byte ranges of all non-overlapping matches in `text` (valid UTF-8) to `out`.
  /// Throws Error(bad_file) when the expression needs more work than the match limit allows.
  void find_all(std::string_view text, std::vector<std::pair<size_t, size_t>>& out) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

/// The translation alone, for tests.
std::string translate_hub_regex(std::string_view pattern);

/// A pattern that matches `text` itself.
std::string escape_regex(std::string_view text);

}  // namespace r1
