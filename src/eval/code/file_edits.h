// Edits of files in a model's answer, in the formats of Aider (its documentation, "Edit formats"): search/replace blocks, whole files,
// and unified diffs without line numbers. Answers are read as hostile text.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r1::eval {

/// Contents by relative path.
using FileContents = std::map<std::string, std::string>;

/// Relative, of named components only: neither "..", nor an absolute path, nor control characters or backslashes.
bool is_safe_path(std::string_view path);

struct FileEdit {
  std::string path{};
  bool whole = false;    // `replacement` is the file
  std::string search{};  // whole lines; empty: append (or create the file)
  std::string replacement{};
};

enum class EditFormat { search_replace, whole, unified_diff };

struct ReadEdits {
  std::vector<FileEdit> edits{};
  std::vector<std::string> problems{};  // a line each, for the model: what could not be read
};

/// `names`: files that may be meant. A block names its file in one of the three lines before it, as the full path or by the last
/// component of one file; a search/replace block without a name is for the file of the block before, or the only file.
ReadEdits read_edits(std::string_view answer, EditFormat format, std::span<const std::string> names);

/// Replaces the first place where all lines of the search text are found: exactly, else with one more or less of indentation that all lines
/// have in common, else without an empty first line of the search text. White space at the ends of lines counts. "..." stands for itself
/// only. Files have line ends \n and end with one afterwards. Edits that cannot be applied change nothing; each gives a problem.
std::vector<std::string> apply_edits(std::span<const FileEdit> edits, FileContents& files);

}  // namespace r1::eval
