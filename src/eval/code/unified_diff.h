// Unified diffs as `git diff` and `diff -u` write them (GNU diffutils manual, "Detailed Description of Unified Format"), applied
// strictly: the numbers of lines in each header must be right and every context line must be in the file. Hunks may have moved: the
// place nearest to the header's line is taken, as git apply does. No other fuzz.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace r1::eval {

/// The content of a file of the project; nothing: there is no such file. It may throw.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;

/// New contents by path; nothing: the file is removed.
using PatchedFiles = std::map<std::string, std::optional<std::string>>;

/// Throws Error(bad_file) with the line of the diff: a path outside the project, a binary patch, a hunk that does not apply, a file that
/// is there or missing where it should not be. Renames and copies, also without hunks, are followed. Modes are passed over.
PatchedFiles apply_unified_diff(std::string_view diff, const FileReader& read_file);

/// The diff in a model's answer: the last block labelled diff or patch, or the whole answer where it begins as a diff; between <patch>
/// tags, as some prompts of SWE-bench ask. Empty: none.
std::string diff_in_answer(std::string_view answer);

}  // namespace r1::eval
