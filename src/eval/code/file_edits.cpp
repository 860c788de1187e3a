#include "eval/code/file_edits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "eval/code/lines.h"

namespace r1::eval {
namespace {

using Lines = std::vector<std::string_view>;

constexpr size_t kMaxSteps = 20'000'000;  // compared lines of one edit

/// The lines of a text, without an empty last one.
Lines file_lines(std::string_view text) {
  Lines lines = lines_of(text);
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string_view line : lines) text.append(line).append("\n");
  return text;
}

std::string with_plain_line_ends(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    plain += text[i];
  }
  return plain;
}

size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(" \t"), line.size());
}

bool is_blank(std::string_view line) {
  return indentation(line) == line.size();
}

/// A row of 5 to 9 of one mark and a word: Aider accepts as many.
bool is_marker(std::string_view line, char mark, std::string_view word) {
  const size_t count = std::min(line.find_first_not_of(mark), line.size());
  if (count < 5 || count > 9) return false;
  std::string_view rest = trimmed(line.substr(count));
  if (word == "SEARCH" && rest.ends_with('>')) rest.remove_suffix(1);
  return rest == word;
}

bool is_fence(std::string_view line) {
  line = trimmed(line);
  return line.starts_with("```") || line.starts_with("~~~");
}

/// A line as the name of a file: without the marks that models put around names.
std::string_view as_name(std::string_view line) {
  line = trimmed(line);
  if (is_fence(line)) return {};
  constexpr std::string_view kMarks = "#*`:\"' ";
  const size_t first = line.find_first_not_of(kMarks);
  if (first == std::string_view::npos) return {};
  line = line.substr(first, line.find_last_not_of(kMarks) - first + 1);
  if (line.starts_with("./")) line.remove_prefix(2);
  return line;
}

/// A file that is meant by the name; nothing: none, or one of several.
std::optional<std::string> known_file(std::string_view name, std::span<const std::string> names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return std::string(name);
  std::optional<std::string> found;
  for (const std::string& file : names) {
    if (file.substr(file.rfind('/') + 1) != name) continue;
    if (found) return std::nullopt;
    found = file;
  }
  return found;
}

bool looks_like_path(std::string_view name) {
  return !name.empty() && name.find(' ') == std::string_view::npos &&
         name.find('.') != std::string_view::npos && is_safe_path(name);
}

class EditReader {
 public:
  EditReader(std::string_view answer, std::span<const std::string> names)
      : text_(with_plain_line_ends(answer)), lines_(lines_of(text_)), names_(names) {}

  ReadEdits search_replace() {
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (!is_marker(lines_[i], '<', "SEARCH")) continue;
      const size_t divider = find_marker(i + 1, '=', "");
      const size_t end = find_marker(divider, '>', "REPLACE");
      if (end >= lines_.size()) {
        problem(i, "the block has no line ======= followed by a line >>>>>>> REPLACE");
        break;
      }
      const std::optional<std::string> path = name_before(i);
      if (path) {
        add({*path, false, text(i + 1, divider), text(divider + 1, end)}, i);
      } else {
        problem(i, "the line before the block must be the path of a file");
      }
      i = end;
    }
    return std::move(result_);
  }

  ReadEdits whole() {
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (!is_fence(lines_[i])) continue;
      const std::string_view fence = trimmed(lines_[i]);
      const std::string_view mark =
          fence.substr(0, std::min(fence.find_first_not_of(fence[0]), fence.size()));
      size_t end = i + 1;
      while (end < lines_.size() && trimmed(lines_[end]) != mark) ++end;
      if (end == lines_.size()) {
        problem(i, "the block has no end");
        break;
      }
      if (const std::optional<std::string> path = named_file(i)) add({*path, true, "", text(i + 1, end)}, i);
      i = end;
    }
    if (result_.edits.empty() && result_.problems.empty())
      problem(0, "there is no block after a line with a file's path");
    return std::move(result_);
  }

  ReadEdits unified_diff() {
    std::optional<std::string> path;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].starts_with("--- ") && i + 1 < lines_.size() && lines_[i + 1].starts_with("+++ ")) {
        path = diff_path(lines_[i + 1].substr(4), lines_[i].substr(4));
        if (!path) problem(i, "the line +++ must have the path of a file");
        ++i;
      } else if (lines_[i].starts_with("@@")) {
        const size_t end = hunk_end(i + 1);
        if (path) add_hunk(*path, i, end);
        i = end - 1;
      } else if (is_fence(lines_[i])) {
        path.reset();
      }
    }
    if (result_.edits.empty() && result_.problems.empty())
      problem(0, "there is no hunk (@@) after lines --- and +++");
    return std::move(result_);
  }

 private:
  size_t find_marker(size_t from, char mark, std::string_view word) const {
    while (from < lines_.size() && !is_marker(lines_[from], mark, word)) ++from;
    return from;
  }

  std::string text(size_t first, size_t last) const {
    return joined(Lines(lines_.begin() + static_cast<std::ptrdiff_t>(first),
                        lines_.begin() + static_cast<std::ptrdiff_t>(last)));
  }

  /// A file named in one of the three lines before line `at`.
  std::optional<std::string> named_file(size_t at) const {
    const size_t first = at < 3 ? 0 : at - 3;
    for (size_t i = at; i-- > first;) {
      if (auto found = known_file(as_name(lines_[i]), names_)) return found;
    }
    for (size_t i = at; i-- > first;) {
      if (looks_like_path(as_name(lines_[i]))) return std::string(as_name(lines_[i]));
      if (!is_fence(lines_[i]) && !is_blank(lines_[i])) break;
    }
    return std::nullopt;
  }

  std::optional<std::string> name_before(size_t at) const {
    if (auto found = named_file(at)) return found;
    if (!result_.edits.empty()) return result_.edits.back().path;
    if (names_.size() == 1) return names_.front();
    return std::nullopt;
  }

  std::optional<std::string> diff_path(std::string_view line, std::string_view old_line) const {
    for (std::string_view name : {line, old_line}) {
      name = trimmed(name.substr(0, name.find('\t')));
      if (name == "/dev/null") continue;
      const std::string_view stripped =
          name.starts_with("a/") || name.starts_with("b/") ? name.substr(2) : name;
      for (const std::string_view each : {name, stripped}) {
        if (auto found = known_file(each, names_)) return found;
      }
      return std::string(stripped);
    }
    return std::nullopt;
  }

  size_t hunk_end(size_t at) const {
    while (
        at < lines_.size() && !is_fence(lines_[at]) && !lines_[at].starts_with("@@") &&
        !(lines_[at].starts_with("--- ") && at + 1 < lines_.size() && lines_[at + 1].starts_with("+++ "))) {
      ++at;
    }
    return at;
  }

  void add_hunk(const std::string& path, size_t header, size_t end) {
    FileEdit edit{path, false, "", ""};
    bool changes = false;
    for (size_t i = header + 1; i < end; ++i) {
      const std::string_view line = lines_[i];
      if (line.starts_with('\\')) continue;  // no newline at the end
      const char kind = line.empty() ? ' ' : line[0];
      if (kind != ' ' && kind != '+' && kind != '-') {
        return problem(i, "a line of a hunk begins with ' ', '+' or '-'");
      }
      const std::string_view rest = line.empty() ? line : line.substr(1);
      if (kind != '+') edit.search.append(rest).append("\n");
      if (kind != '-') edit.replacement.append(rest).append("\n");
      changes = changes || kind != ' ';
    }
    if (changes) add(std::move(edit), header);
  }

  void add(FileEdit edit, size_t line) {
    if (!is_safe_path(edit.path)) {
      return problem(line, fmt::format("the path '{}' is not one inside the project", edit.path));
    }
    result_.edits.push_back(std::move(edit));
  }

  void problem(size_t line, std::string_view what) {
    result_.problems.push_back(fmt::format("line {} of the answer: {}", line + 1, what));
  }

  std::string text_;
  Lines lines_;
  std::span<const std::string> names_;
  ReadEdits result_{};
};

/// Replaces the lines of `search` in `file`. Nothing: they are not there.
class LineReplacement {
 public:
  explicit LineReplacement(const Lines& file) : file_(file) {}

  std::optional<std::string> replace(const Lines& search, const Lines& replacement) {
    for (size_t at = 0; at + search.size() <= file_.size(); ++at) {
      if (matches(at, search)) return spliced(at, search.size(), joined(replacement));
    }
    return with_other_indentation(search, replacement);
  }

  bool gave_up() const { return steps_ > kMaxSteps; }

 private:
  bool matches(size_t at, const Lines& search) {
    for (size_t i = 0; i < search.size(); ++i) {
      if (++steps_ > kMaxSteps || file_[at + i] != search[i]) return false;
    }
    return true;
  }

  std::optional<std::string> with_other_indentation(const Lines& search, const Lines& replacement) {
    // What all lines have in common is taken away first: the model may have written more indentation than the file has.
    size_t common = std::string_view::npos;
    for (const Lines* lines : {&search, &replacement}) {
      for (const std::string_view line : *lines) {
        if (!is_blank(line)) common = std::min(common, indentation(line));
      }
    }
    if (common == std::string_view::npos) return std::nullopt;
    const auto outdented = [&](Lines lines) {
      for (std::string_view& line : lines) line = is_blank(line) ? std::string_view() : line.substr(common);
      return lines;
    };
    const Lines wanted = outdented(search), put = outdented(replacement);
    for (size_t at = 0; at + wanted.size() <= file_.size(); ++at) {
      const std::optional<std::string_view> prefix = common_prefix(at, wanted);
      if (!prefix) continue;
      std::string text;
      for (const std::string_view line : put) {
        if (!line.empty()) text.append(*prefix).append(line);
        text += '\n';
      }
      return spliced(at, wanted.size(), text);
    }
    return std::nullopt;
  }

  /// What every line of the file has more than the searched line.
  std::optional<std::string_view> common_prefix(size_t at, const Lines& wanted) {
    std::optional<std::string_view> prefix;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (++steps_ > kMaxSteps) return std::nullopt;
      const std::string_view line = file_[at + i];
      if (wanted[i].empty() || is_blank(line)) {
        if (wanted[i].empty() != is_blank(line)) return std::nullopt;
        continue;
      }
      if (!line.ends_with(wanted[i])) return std::nullopt;
      const std::string_view more = line.substr(0, line.size() - wanted[i].size());
      if (!is_blank(more) || (prefix && *prefix != more)) return std::nullopt;
      prefix = more;
    }
    return prefix;
  }

  std::string spliced(size_t at, size_t count, std::string_view text) const {
    std::string result;
    for (size_t i = 0; i < at; ++i) result.append(file_[i]).append("\n");
    result += text;
    for (size_t i = at + count; i < file_.size(); ++i) result.append(file_[i]).append("\n");
    return result;
  }

  const Lines& file_;
  size_t steps_ = 0;
};

/// Empty: done.
std::string apply_edit(const FileEdit& edit, FileContents& files) {
  if (edit.whole) {
    files[edit.path] = edit.replacement;
    return "";
  }
  const auto found = files.find(edit.path);
  const Lines search = file_lines(edit.search), replacement = file_lines(edit.replacement);
  const bool appends = std::all_of(search.begin(), search.end(), is_blank);
  if (found == files.end()) {
    if (!appends) return fmt::format("{}: there is no such file", edit.path);
    files[edit.path] = joined(replacement);
    return "";
  }
  const std::string before = with_plain_line_ends(found->second);
  const Lines file = file_lines(before);
  if (appends) {
    found->second = joined(file) + joined(replacement);
    return "";
  }
  LineReplacement attempt(file);
  std::optional<std::string> after = attempt.replace(search, replacement);
  if (!after && search.size() > 1 && is_blank(search.front())) {
    after = attempt.replace(Lines(search.begin() + 1, search.end()), replacement);
  }
  if (after) {
    found->second = *std::move(after);
    return "";
  }
  if (attempt.gave_up()) return fmt::format("{}: the search text is too long", edit.path);
  const auto ellipsis = std::find_if(search.begin(), search.end(),
                                     [](std::string_view line) { return trimmed(line) == "..."; });
  return ellipsis != search.end() ? fmt::format("{}: the search text has '...': write all lines", edit.path)
                                  : fmt::format("{}: the search text is not in the file; it begins: {}",
                                                edit.path, trimmed(search.front()).substr(0, 80));
}

}  // namespace

bool is_safe_path(std::string_view path) {
  constexpr size_t kMaxPath = 1000, kMaxComponent = 200;
  if (path.empty() || path.size() > kMaxPath || path.front() == '/') return false;
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 32 || c == '\\' || c == 127; })) {
    return false;
  }
  while (true) {
    const size_t end = path.find('/');
    const std::string_view component = path.substr(0, end);
    if (component.empty() || component == "." || component == ".." || component == ".git" ||
        component.size() > kMaxComponent) {
      return false;
    }
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

ReadEdits read_edits(std::string_view answer, EditFormat format, std::span<const std::string> names) {
  EditReader reader(answer, names);
  if (format == EditFormat::search_replace) return reader.search_replace();
  return format == EditFormat::whole ? reader.whole() : reader.unified_diff();
}

std::vector<std::string> apply_edits(std::span<const FileEdit> edits, FileContents& files) {
  std::vector<std::string> problems;
  for (const FileEdit& edit : edits) {
    std::string problem = apply_edit(edit, files);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace r1::eval
