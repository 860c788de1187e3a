#include "eval/code/unified_diff.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/error.h"
#include "eval/code/code_block.h"
#include "eval/code/file_edits.h"
#include "eval/code/lines.h"

namespace r1::eval {
namespace {

struct HunkLine {
  char kind;  // ' ', '+' or '-'
  std::string_view text;
  bool newline = true;
};

struct Hunk {
  size_t line = 0;  // of the diff, 1-based
  int64_t old_start = 0, old_count = 0, new_count = 0;
  std::vector<HunkLine> lines{};
};

struct FileHeader {
  size_t line = 0;
  std::string old_path{}, new_path{};  // empty: /dev/null
  bool named = false;                  // by --- and +++, or by a rename
  bool created = false, removed = false, copied = false;
};

struct FileLine {
  std::string_view text;
  bool newline = true;
};

std::vector<FileLine> split(std::string_view content) {
  std::vector<FileLine> lines;
  while (!content.empty()) {
    const size_t end = content.find('\n');
    if (end == std::string_view::npos) {
      lines.push_back({content, false});
      break;
    }
    lines.push_back({content.substr(0, end), true});
    content.remove_prefix(end + 1);
  }
  return lines;
}

class DiffReader {
 public:
  DiffReader(std::string_view diff, const FileReader& read_file)
      : lines_(lines_of(diff)), read_file_(read_file) {
    if (!lines_.empty() && lines_.back().empty()) lines_.pop_back();
  }

  PatchedFiles apply() {
    while (at_ < lines_.size()) {
      const std::string_view line = lines_[at_];
      if (line.starts_with("diff --git ") || starts_file()) {
        apply_file();
      } else if (line.starts_with("@@")) {
        fail(at_, "a hunk without lines --- and +++");
      } else {
        ++at_;  // text before and between patches
      }
    }
    if (files_ == 0) throw_error(ErrorKind::bad_file, "diff: no file header (--- and +++)");
    return std::move(patched_);
  }

 private:
  [[noreturn]] static void fail(size_t line, std::string_view what) {
    throw_error(ErrorKind::bad_file, "diff, line {}: {}", line + 1, what);
  }

  bool starts_file() const {
    return lines_[at_].starts_with("--- ") && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with("+++ ");
  }

  void apply_file() {
    ++files_;
    const FileHeader header = read_header();
    std::vector<Hunk> hunks;
    while (at_ < lines_.size() && lines_[at_].starts_with("@@")) hunks.push_back(read_hunk());
    if (!header.named && !hunks.empty()) fail(header.line, "no lines --- and +++");
    if (header.named) apply_hunks(header, hunks);
  }

  FileHeader read_header() {
    FileHeader header;
    header.line = at_;
    const bool git = lines_[at_].starts_with("diff --git ");
    if (git) git_paths(lines_[at_].substr(11), header);
    if (git) ++at_;
    for (; at_ < lines_.size() && !lines_[at_].starts_with("diff --git "); ++at_) {
      const std::string_view line = lines_[at_];
      if (starts_file()) {
        header.old_path = path_in(line.substr(4), at_);
        header.new_path = path_in(lines_[at_ + 1].substr(4), at_ + 1);
        header.created = header.old_path.empty();
        header.removed = header.new_path.empty();
        header.named = true;
        if (header.created && header.removed) fail(at_, "both sides are /dev/null");
        at_ += 2;
        return header;
      }
      if (!git) break;
      if (line.starts_with("Binary files ") || line.starts_with("GIT binary patch")) {
        fail(at_, "binary patches are not applied");
      }
      if (line.starts_with("@@")) break;
      read_extended(line, header);
      if (line.empty()) break;
    }
    return header;
  }

  void read_extended(std::string_view line, FileHeader& header) const {
    const auto after = [&](std::string_view word) {
      return line.starts_with(word) ? std::optional(line.substr(word.size())) : std::nullopt;
    };
    if (line.starts_with("new file mode")) {
      header.created = header.named = true;
      header.old_path.clear();
    } else if (line.starts_with("deleted file mode")) {
      header.removed = header.named = true;
      header.new_path.clear();
    }
    for (const std::string_view word : {"rename from ", "copy from "}) {
      if (const auto path = after(word)) {
        header.old_path = checked(unquoted(*path), at_);
        header.copied = word.starts_with("copy");
        header.named = true;
      }
    }
    for (const std::string_view word : {"rename to ", "copy to "}) {
      if (const auto path = after(word)) header.new_path = checked(unquoted(*path), at_);
    }
  }

  /// "a/x b/x": needed only where nothing else names the file, which then has one name.
  void git_paths(std::string_view rest, FileHeader& header) const {
    const size_t middle = rest.size() / 2;
    if (rest.size() % 2 == 0 || rest[middle] != ' ' || !rest.starts_with("a/")) return;
    const std::string_view path = rest.substr(2, middle - 2);
    if (rest.substr(middle + 1) != "b/" + std::string(path)) return;
    header.old_path = header.new_path = checked(std::string(path), at_);
  }

  static std::string unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
    text = text.substr(1, text.size() - 2);
    std::string path;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        path += text[i];
        continue;
      }
      const char c = text[++i];
      if (c >= '0' && c <= '3' && i + 2 < text.size()) {
        path += static_cast<char>((c - '0') * 64 + (text[i + 1] - '0') * 8 + (text[i + 2] - '0'));
        i += 2;
      } else {
        path += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
    }
    return path;
  }

  static std::string checked(std::string path, size_t line) {
    if (!is_safe_path(path)) fail(line, fmt::format("the path '{}' is not one inside the project", path));
    return path;
  }

  static std::string path_in(std::string_view text, size_t line) {
    if (!text.starts_with('"')) text = text.substr(0, text.find('\t'));  // a date follows
    while (text.ends_with('\r') || text.ends_with(' ')) text.remove_suffix(1);
    std::string path = unquoted(text);
    if (path == "/dev/null") return "";
    if (path.starts_with("a/") || path.starts_with("b/")) path.erase(0, 2);
    return checked(std::move(path), line);
  }

  /// "12,3" or "12".
  std::pair<int64_t, int64_t> read_range(std::string_view& text, char sign) const {
    std::pair<int64_t, int64_t> range{0, 1};
    const auto number = [&](int64_t& value) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || value < 0 || value > 1'000'000'000) fail(at_, "a bad hunk header");
      text.remove_prefix(static_cast<size_t>(end - text.data()));
    };
    if (!text.starts_with(sign)) fail(at_, "expected a hunk header @@ -a,b +c,d @@");
    text.remove_prefix(1);
    number(range.first);
    if (text.starts_with(',')) {
      text.remove_prefix(1);
      number(range.second);
    }
    return range;
  }

  Hunk read_hunk() {
    Hunk hunk;
    hunk.line = at_;
    std::string_view header = lines_[at_];
    if (!header.starts_with("@@ ")) fail(at_, "expected a hunk header @@ -a,b +c,d @@");
    header.remove_prefix(3);
    std::tie(hunk.old_start, hunk.old_count) = read_range(header, '-');
    if (!header.starts_with(' ')) fail(at_, "a bad hunk header");
    header.remove_prefix(1);
    hunk.new_count = read_range(header, '+').second;
    if (!header.starts_with(" @@")) fail(at_, "a bad hunk header");
    ++at_;
    int64_t old_left = hunk.old_count, new_left = hunk.new_count;
    while (old_left > 0 || new_left > 0 || (at_ < lines_.size() && lines_[at_].starts_with('\\'))) {
      if (at_ == lines_.size()) fail(hunk.line, "the diff ends inside this hunk");
      std::string_view line = lines_[at_];
      const char kind = line.empty() ? ' ' : line[0];  // editors remove the space of an empty context line
      if (kind == '\\') {
        if (hunk.lines.empty()) fail(at_, "nothing is before this line");
        hunk.lines.back().newline = false;
      } else if (kind == ' ' || kind == '-' || kind == '+') {
        if (!line.empty()) line.remove_prefix(1);
        hunk.lines.push_back({kind, line});
        old_left -= kind != '+' ? 1 : 0;
        new_left -= kind != '-' ? 1 : 0;
        if (old_left < 0 || new_left < 0)
          fail(at_, "the hunk has other numbers of lines than its header says");
      } else {
        fail(at_, "the hunk has fewer lines than its header says");
      }
      ++at_;
    }
    return hunk;
  }

  std::optional<std::string> current(const std::string& path) const {
    const auto changed = patched_.find(path);
    return changed != patched_.end() ? changed->second : read_file_(path);
  }

  void apply_hunks(const FileHeader& header, const std::vector<Hunk>& hunks) {
    std::string before;
    if (header.created) {
      if (current(header.new_path)) fail(header.line, fmt::format("{} is there already", header.new_path));
    } else {
      std::optional<std::string> found = current(header.old_path);
      if (!found) fail(header.line, fmt::format("there is no file {}", header.old_path));
      before = *std::move(found);
    }
    std::string after = patched(before, hunks);
    if (header.removed) {
      if (!after.empty()) fail(header.line, fmt::format("{} is removed but not empty", header.old_path));
      patched_[header.old_path] = std::nullopt;
      return;
    }
    if (!header.created && !header.copied && header.old_path != header.new_path) {
      patched_[header.old_path] = std::nullopt;
    }
    patched_[header.new_path] = std::move(after);
  }

  static std::string patched(std::string_view before, const std::vector<Hunk>& hunks) {
    const std::vector<FileLine> file = split(before);
    std::string after;
    size_t copied = 0;  // lines of the file that are done
    int64_t moved = 0;  // of the last hunk against its header
    const auto put = [&](std::string_view text, bool newline) {
      after += text;
      if (newline) after += '\n';
    };
    for (const Hunk& hunk : hunks) {
      // A header of no lines says the line before.
      const int64_t wanted = hunk.old_start - (hunk.old_count > 0 ? 1 : 0) + moved;
      const std::optional<size_t> place = find_place(file, hunk, copied, wanted);
      if (!place) fail(hunk.line, "the hunk does not apply: its lines are not in the file");
      moved += static_cast<int64_t>(*place) - wanted;
      for (; copied < *place; ++copied) put(file[copied].text, file[copied].newline);
      for (const HunkLine& line : hunk.lines) {
        if (line.kind != '-') put(line.text, line.newline);
        if (line.kind != '+') ++copied;
      }
    }
    for (; copied < file.size(); ++copied) put(file[copied].text, file[copied].newline);
    return after;
  }

  static bool fits(const std::vector<FileLine>& file, const Hunk& hunk, size_t place, size_t& steps) {
    for (const HunkLine& line : hunk.lines) {
      if (line.kind == '+') continue;
      if (++steps > kMaxSteps || file[place].text != line.text || file[place].newline != line.newline)
        return false;
      ++place;
    }
    return true;
  }

  static std::optional<size_t> find_place(const std::vector<FileLine>& file, const Hunk& hunk, size_t first,
                                          int64_t wanted) {
    const auto count = static_cast<size_t>(hunk.old_count);
    if (first + count > file.size()) return std::nullopt;
    const size_t last = file.size() - count;
    const size_t start =
        static_cast<size_t>(std::clamp(wanted, static_cast<int64_t>(first), static_cast<int64_t>(last)));
    if (count == 0) {  // nothing to find it by
      return static_cast<int64_t>(start) == wanted ? std::optional(start) : std::nullopt;
    }
    size_t steps = 0;
    for (size_t distance = 0; distance <= last - first; ++distance) {
      if (start >= first + distance && fits(file, hunk, start - distance, steps)) return start - distance;
      if (distance > 0 && start + distance <= last && fits(file, hunk, start + distance, steps)) {
        return start + distance;
      }
    }
    return std::nullopt;
  }

  static constexpr size_t kMaxSteps = 20'000'000;

  std::vector<std::string_view> lines_;
  const FileReader& read_file_;
  size_t at_ = 0, files_ = 0;
  PatchedFiles patched_{};
};

bool is_diff_label(std::string_view label) {
  return label == "diff" || label == "patch" || label == "udiff";
}

}  // namespace

PatchedFiles apply_unified_diff(std::string_view diff, const FileReader& read_file) {
  return DiffReader(diff, read_file).apply();
}

std::string diff_in_answer(std::string_view answer) {
  const size_t tag = answer.rfind("<patch>");
  if (tag != std::string_view::npos) {
    std::string_view inside = answer.substr(tag + 7);
    inside = inside.substr(0, inside.find("</patch>"));
    if (inside.starts_with('\n')) inside.remove_prefix(1);
    if (trimmed(inside).starts_with("```")) return diff_in_answer(inside);
    return std::string(inside);
  }
  if (auto block = last_code_block(answer, is_diff_label)) {
    const std::string_view start = trimmed(block->code);
    if (is_diff_label(block->label) || start.starts_with("diff ") || start.starts_with("--- "))
      return block->code;
  }
  for (const std::string_view line : lines_of(answer)) {
    if (line.starts_with("diff --git ") || line.starts_with("--- ")) {
      return std::string(answer.substr(static_cast<size_t>(line.data() - answer.data())));
    }
    if (!trimmed(line).empty()) break;
  }
  return "";
}

}  // namespace r1::eval
