#include "train/data/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json_depth.h"
#include "formats/json_file.h"
#include "text/unicode.h"

namespace r1 {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// What can stand in the way of a line; thrown inside, caught per record.
struct Bad {
  std::string message;
};

/// Text in another encoding would be learnt as bytes that mean nothing.
void require_utf8(std::string_view text, const std::string& place, const std::string& what) {
  if (is_valid_utf8(text)) return;
  size_t at = 0;
  for (Utf8Prefix next = inspect_utf8(text); next.kind == Utf8Prefix::complete;
       next = inspect_utf8(text.substr(at))) {
    at += next.length;
  }
  throw Bad{fmt::format(
      "{}: {}: expected UTF-8, found the byte 0x{:02x} at byte {} (another encoding? iconv -t UTF-8 "
      "converts it)",
      place, what, static_cast<unsigned char>(text[at]), at + 1)};
}

ordered_json parse_object(std::string_view text, const std::string& place) {
  require_utf8(text, place, "JSON");
  ordered_json value;
  std::set<std::string> names;
  const auto look = [&](int depth, ordered_json::parse_event_t event, ordered_json& parsed) {
    if (depth > kMaxJsonLevels)
      throw Bad{fmt::format("{}: JSON nested deeper than {} levels", place, kMaxJsonLevels)};
    if (depth == 1 && event == ordered_json::parse_event_t::key && !names.insert(parsed).second)
      throw Bad{fmt::format("{}: field '{}': expected once, found twice", place, parsed.get<std::string>())};
    return true;
  };
  try {
    value = ordered_json::parse(text, look);
  } catch (const ordered_json::parse_error& error) {
    for (const std::string_view word : {"NaN", "Infinity"}) {
      const size_t at =
          error.byte > 0 ? text.find(word, error.byte - std::min<size_t>(error.byte, 2)) : text.size();
      if (at >= error.byte + 1) continue;
      throw Bad{
          fmt::format("{}: found {} at byte {}, which JSON does not have: write null, or leave the field out "
                      "(pandas writes it for an empty cell)",
                      place, word, at + 1)};
    }
    throw Bad{
        fmt::format("{}: no sound JSON at byte {}: {}", place, error.byte,
                    std::string_view(error.what()).substr(std::string_view(error.what()).rfind(": ") + 2))};
  } catch (const ordered_json::out_of_range&) {
    throw Bad{fmt::format("{}: a number is too large for 64 bits of floating point", place)};
  }
  if (!value.is_object()) {
    throw Bad{fmt::format("{}: expected an object {{…}}, found {} {}", place, value.type_name(),
                          short_json(nlohmann::json(value)))};
  }
  return value;
}

/// Of a table, by its header: spreadsheets write ; where the decimal point is a comma.
char separator_of(std::string_view table) {
  bool quoted = false;
  for (const char c : table) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ',' || c == ';' || c == '\t') return c;
    if (c == '\n') break;
  }
  return ',';
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& name, const std::function<void(Record)>& emit,
         const BadLine& bad)
      : name_(name), emit_(emit), bad_(bad), rest_(text) {
    for (const std::string_view mark : {"\xff\xfe", "\xfe\xff"}) {
      if (rest_.starts_with(mark)) {
        refuse(fmt::format("{}: expected UTF-8, found UTF-16 (iconv -f UTF-16 -t UTF-8 converts it)", at(1)));
        rest_ = {};
      }
    }
    // Without a byte order mark: ASCII letters have a zero beside them.
    if (rest_.size() >= 4 && ((rest_[0] == 0 && rest_[2] == 0) || (rest_[1] == 0 && rest_[3] == 0))) {
      refuse(fmt::format(
          "{}: expected UTF-8, found UTF-16 without a byte order mark (iconv -f UTF-16{} -t UTF-8 "
          "converts it)",
          at(1), rest_[0] == 0 ? "BE" : "LE"));
      rest_ = {};
    }
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  /// Whether there was anything, good or bad.
  bool found_any() const { return found_any_; }

  /// .json: a list, or one object a line as many published files have it.
  void list_or_lines() {
    const size_t first = std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size());
    const std::string_view line = rest_.substr(first, rest_.find('\n', first) - first);
    if (line.starts_with('{') && ordered_json::accept(line)) return lines();
    list();
  }

  void lines() {
    for (int64_t number = 1; !rest_.empty(); ++number) {
      const size_t end = rest_.find('\n');
      const std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      const std::string place = at(number);
      const size_t last = line.find_last_not_of(" \t\r");
      if (line.find_first_not_of(" \t\r") == last && line[last] == '{') {
        refuse(fmt::format(
            "{}: expected one JSON object a line, found an object over several lines (jq -c . FILE "
            "writes one a line)",
            place));
        return;
      }
      attempt([&] { emit({parse_object(line, place), place}); });
    }
  }

  /// A JSON list, cut into its elements first so that each has its line.
  void list() {
    skip_space();
    if (rest_.empty() || rest_.front() != '[') {
      if (rest_.empty()) return;
      refuse(fmt::format("{}: expected a list [ … ] of objects, or one object a line, found '{}'", at(line_),
                         short_text(rest_.substr(0, rest_.find('\n')))));
      return;
    }
    advance(1);
    for (skip_space(); !rest_.empty() && rest_.front() != ']'; skip_space()) {
      const std::string place = at(line_);
      const size_t length = element_length();
      const std::string_view element = rest_.substr(0, length);
      advance(length);
      attempt([&] { emit({parse_object(element, place), place}); });
      skip_space();
      if (!rest_.empty() && rest_.front() == ',') {
        advance(1);
      } else if (rest_.empty() || rest_.front() != ']') {
        refuse(fmt::format("{}: expected ',' or ']' behind an element, found {}", at(line_),
                           rest_.empty() ? "the end of the file" : fmt::format("'{}'", rest_.substr(0, 1))));
        return;
      }
    }
    if (rest_.empty()) {
      refuse(fmt::format("{}: expected ']' at the end of the list, found the end of the file", at(line_)));
      return;
    }
    advance(1);
    skip_space();
    if (!rest_.empty()) {
      refuse(fmt::format("{}: expected nothing behind the list, found '{}'", at(line_), rest_.substr(0, 1)));
    }
  }

  void table() {
    std::vector<std::string> header, row;
    bool good = true;
    if (rest_.find('\n') == std::string_view::npos && rest_.find('\r') != std::string_view::npos) {
      converted_ = std::string(rest_);  // lines that end with a carriage return alone
      std::replace(converted_.begin(), converted_.end(), '\r', '\n');
      rest_ = converted_;
    }
    separator_ = separator_of(rest_);
    plain_quotes_ = separator_ == '\t';
    if (rest_.empty()) return;
    attempt([&] {
      good = next_row(header);
      std::set<std::string> names;
      for (const std::string& name : header) {
        if (!name.empty() && !names.insert(name).second) {
          good = false;
          throw Bad{fmt::format("{}: column '{}': expected once, found twice", at(1), short_text(name))};
        }
      }
    });
    if (!good || header.empty()) {
      if (!found_any_)
        refuse(fmt::format("{}: expected a header with the names of the columns, found none", at(1)));
      return;
    }
    while (!rest_.empty()) {
      const std::string place = at(line_);
      attempt([&] {
        if (!next_row(row)) return;
        if (row.size() != header.size()) {
          throw Bad{fmt::format("{}: expected {} fields ({}), found {}", place, header.size(),
                                short_text(fmt::format("{}", fmt::join(header, ", "))), row.size())};
        }
        Record record{ordered_json::object(), place, true};
        for (size_t i = 0; i < row.size(); ++i) {
          require_utf8(row[i], place, fmt::format("column '{}'", short_text(header[i])));
          (*record.fields)[header[i]] = row[i];
        }
        emit(std::move(record));
      });
    }
  }

  void whole() {
    if (rest_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      refuse(fmt::format("{}: expected text, found none", at(1)));
      return;
    }
    attempt([&] {
      require_utf8(rest_, at(1), "text");
      emit({{{"text", std::string(rest_)}}, at(1)});
    });
  }

  void refuse(const std::string& message) {
    found_any_ = true;
    if (!bad_) throw Error(ErrorKind::bad_file, message);
    bad_(message);
  }

 private:
  std::string at(int64_t line) const { return fmt::format("{}:{}", name_, line); }

  void emit(Record record) {
    found_any_ = true;
    emit_(std::move(record));
  }

  template <typename Body>
  void attempt(Body&& body) {
    try {
      body();
    } catch (const Bad& bad) {
      refuse(bad.message);
    }
  }

  void advance(size_t count) {
    line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(count), '\n');
    rest_.remove_prefix(count);
  }

  void skip_space() { advance(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  /// To the ',' or ']' that ends the element: brackets and strings are followed, nothing else is checked.
  size_t element_length() const {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (in_string) {
        if (c == '\\') ++i;
        if (c == '"') in_string = false;
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return i;
        --depth;
      } else if (c == ',' && depth == 0) {
        return i;
      }
    }
    return rest_.size();
  }

  /// Whether the field that begins with a quote at `start` ends with one before the separator or the line's end.
  bool is_quoted_field(size_t start) const {
    for (size_t i = start + 1; i < rest_.size(); ++i) {
      if (rest_[i] != '"') continue;
      if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
        ++i;
        continue;
      }
      return i + 1 == rest_.size() || rest_[i + 1] == separator_ || rest_[i + 1] == '\n' ||
             rest_[i + 1] == '\r';
    }
    return false;
  }

  /// The fields of the next row; false for a blank line.
  bool next_row(std::vector<std::string>& row) {
    row.assign(1, "");
    const int64_t first = line_;
    size_t i = 0;
    bool quoted = false, was_quoted = false;
    for (; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (quoted) {
        if (c != '"') {
          row.back() += c;
        } else if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
          row.back() += rest_[++i];
        } else {
          quoted = false;
        }
      } else if (c == '"' && row.back().empty() && !was_quoted && (!plain_quotes_ || is_quoted_field(i))) {
        quoted = was_quoted = true;
      } else if (c == separator_) {
        row.emplace_back();
        was_quoted = false;
      } else if (c == '\n' || (c == '\r' && i + 1 < rest_.size() && rest_[i + 1] == '\n')) {
        break;
      } else if (was_quoted || (c == '"' && !plain_quotes_)) {
        const size_t end = std::min(rest_.find('\n', i), rest_.size());
        const size_t column = row.size();
        advance(std::min(end + 1, rest_.size()));
        throw Bad{
            fmt::format("{}: field {}: expected '{}' or the end of the line behind a quoted field, and '\"' "
                        "only inside quotes (doubled), found '{}'",
                        at(first), column, separator_, c)};
      } else {
        row.back() += c;
      }
    }
    if (quoted) {
      const size_t column = row.size();
      advance(rest_.size());
      throw Bad{
          fmt::format("{}: field {}: expected a closing '\"', found the end of the file", at(first), column)};
    }
    size_t end = i;
    if (end < rest_.size()) end += rest_[end] == '\r' ? 2 : 1;
    advance(end);
    return row.size() > 1 || !row.front().empty() || was_quoted;
  }

  std::string name_;
  const std::function<void(Record)>& emit_;
  const BadLine& bad_;
  std::string converted_;
  std::string_view rest_;
  int64_t line_ = 1;
  char separator_ = ',';
  bool plain_quotes_ = false;  // tab-separated: a quote inside a field is a character like others
  bool found_any_ = false;
};

}  // namespace

std::string short_text(std::string_view text) {
  constexpr size_t kMaxShown = 100;
  std::string out;
  for (const char c : text.substr(0, kMaxShown)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return repair_utf8(out) + (text.size() > kMaxShown ? "…" : "");
}

void parse_records(const std::string& text, const std::string& name, const std::function<void(Record)>& emit,
                   const BadLine& bad) {
  std::string extension = std::filesystem::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  Reader reader(text, name, emit, bad);
  if (extension == ".jsonl" || extension == ".ndjson") {
    reader.lines();
  } else if (extension == ".json") {
    reader.list_or_lines();
  } else if (extension == ".csv" || extension == ".tsv") {
    reader.table();
  } else if (extension == ".txt" || extension == ".md" || extension == ".text") {
    reader.whole();
  } else {
    throw_error(ErrorKind::unsupported,
                "{}: expected a file .jsonl, .json, .csv, .tsv, .txt or .md, found '{}'", name, extension);
  }
  if (!reader.found_any()) reader.refuse(fmt::format("{}:1: expected at least one record, found none", name));
}

void read_records(const std::filesystem::path& path, const std::function<void(Record)>& emit,
                  const BadLine& bad) {
  parse_records(read_text_file(path), path.string(), emit, bad);
}

}  // namespace r1
