#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

namespace r1 {
namespace {

constexpr size_t max_pattern_bytes = 1 << 16;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        escape(false);
      } else if (c == '[') {
        character_class();
      } else if (c == '(') {
        open_group();
      } else if (c == ')') {
        if (fold_stack_.empty()) {
          refuse("an unmatched )");
        }
        fold_ = fold_stack_.back();
        fold_stack_.pop_back();
        copy(1);
      } else if (c == '^' || c == '.') {
        refuse(fmt::format("'{}'", c));
      } else if (c == '$') {
        out_ += "(?=\\n|\\z)";  // Ruby: the end of any line
        ++at_;
      } else if (c == '}' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] == '+') {
        refuse("a quantifier after {n,m}");
      } else if (fold_ && is_letter(c)) {
        out_ += {'[', static_cast<char>(c | 0x20), static_cast<char>(c & ~0x20), ']'};
        ++at_;
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw_error(ErrorKind::unsupported, "tokenizer regex: {} at byte {} of \"{}\" is not supported", what,
                at_, pattern_);
  }

  void copy(size_t bytes) {
    out_ += pattern_.substr(at_, bytes);
    at_ += bytes;
  }

  void open_group() {
    const std::string_view rest = pattern_.substr(at_);
    fold_stack_.push_back(fold_);
    if (!rest.starts_with("(?")) {
      copy(1);
    } else if (rest.starts_with("(?i:")) {
      fold_ = true;
      out_ += "(?:";
      at_ += 4;
    } else if (rest.starts_with("(?:") || rest.starts_with("(?=") || rest.starts_with("(?!") ||
               rest.starts_with("(?>")) {
      copy(3);
    } else if (rest.starts_with("(?<=") || rest.starts_with("(?<!")) {
      copy(4);
    } else {
      refuse("the group \"" + std::string(rest.substr(0, 4)) + "\"");
    }
  }

  void escape(bool in_class) {
    if (at_ + 1 == pattern_.size()) {
      refuse("a trailing \\");
    }
    const char c = pattern_[at_ + 1];
    switch (c) {
      case 's':
        out_ += "\\p{White_Space}";
        break;
      case 'S':
        out_ += "\\P{White_Space}";
        break;
      case 'd':
        out_ += "\\p{Nd}";
        break;
      case 'D':
        out_ += "\\P{Nd}";
        break;
      case 'w':
        out_ += in_class ? "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" : "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]";
        break;
      case 'W':
        if (in_class) {
          refuse("\\W in a class");
        }
        out_ += "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]";
        break;
      case 'p':
      case 'P':
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'x':
        out_ += {'\\', c};
        break;
      case 'z':
        if (in_class) {
          refuse("\\z in a class");
        }
        out_ += "\\z";
        break;
      default:
        if (is_letter(c) || (c >= '0' && c <= '9')) {
          refuse(fmt::format("\\{}", c));
        }
        out_ += {'\\', c};
    }
    at_ += 2;
    if ((c == 'p' || c == 'P') && at_ < pattern_.size() && pattern_[at_] == '{') {
      const size_t close = pattern_.find('}', at_);
      if (close == std::string_view::npos) {
        refuse("an open \\p{");
      }
      copy(close + 1 - at_);
    }
  }

  void character_class() {
    const size_t start = at_;
    copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == '^') {
      copy(1);
    }
    bool first = true;
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == ']' && !first) {
        copy(1);
        return;
      }
      if (c == '[') {
        refuse("a nested class");
      }
      if (pattern_.substr(at_).starts_with("&&")) {
        refuse("a class intersection");
      }
      if (fold_ && is_letter(c)) {
        refuse("a class inside (?i:");
      }
      first = false;
      if (c == '\\') {
        escape(true);
      } else {
        copy(1);
      }
    }
    at_ = start;
    refuse("an open class");
  }

  std::string_view pattern_;
  size_t at_ = 0;
  bool fold_ = false;
  std::vector<bool> fold_stack_;
  std::string out_;
};

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct MatchContextDeleter {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct JitStackDeleter {
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Code {
  explicit Code(std::string text) : pattern(std::move(text)) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    const std::string translated = translate_hub_regex(pattern);
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    if (code == nullptr) {
      throw_error(ErrorKind::bad_file, "tokenizer regex \"{}\": {} at byte {}", pattern, pcre2_message(error),
                  offset);
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it, matching is only slower
  }
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  std::string pattern;
  pcre2_code* code;
};

std::string translate_hub_regex(std::string_view pattern) {
  return Translator(pattern).run();
}

std::string escape_regex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !is_letter(c) && !(c >= '0' && c <= '9') && c > ' ') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

Regex::Regex(std::string_view hub_pattern) {
  if (hub_pattern.size() > max_pattern_bytes || hub_pattern.empty()) {
    throw_error(ErrorKind::bad_file, "tokenizer regex: {} bytes, expected 1 to {}", hub_pattern.size(),
                max_pattern_bytes);
  }
  code_ = std::make_shared<const Code>(std::string(hub_pattern));
}

void Regex::find_all(std::string_view text, std::vector<std::pair<size_t, size_t>>& out) const {
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(pcre2_match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, MatchContextDeleter> context(
      pcre2_match_context_create(nullptr));
  const std::unique_ptr<pcre2_jit_stack, JitStackDeleter> stack(
      pcre2_jit_stack_create(32 << 10, 16 << 20, nullptr));
  if (!data || !context || !stack) {
    throw_error(ErrorKind::out_of_memory, "tokenizer regex \"{}\": no memory to match", code_->pattern);
  }
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  size_t at = 0;
  while (at < text.size()) {
    const int count = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK, data.get(), context.get());
    if (count == PCRE2_ERROR_NOMATCH) {
      return;
    }
    if (count < 0) {
      throw_error(ErrorKind::bad_file, "tokenizer regex \"{}\": {}", code_->pattern, pcre2_message(count));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    if (range[1] > range[0]) {
      out.emplace_back(range[0], range[1]);
      at = range[1];
    } else {  // an empty match splits nothing off: go on behind the next character
      at = range[1];
      do {
        ++at;
      } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
    }
  }
}

}  // namespace r1
