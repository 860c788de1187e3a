// Texts that models and data sets bring to programming tasks. A pickle is one string or one Error; packed tests stay below their limit; a
// diff or edits change only files inside the project, or end with an Error.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "eval/code/code_block.h"
#include "eval/code/file_edits.h"
#include "eval/code/output_match.h"
#include "eval/code/pickled_string.h"
#include "eval/code/unified_diff.h"

namespace {

const r1::eval::FileContents kFiles{{"a.py", "def f():\n    return 1\n\nx = f()\n"}, {"dir/b", "1\n2\n3"}};

void check_diff(std::string_view text) {
  const auto read = [](const std::string& path) -> std::optional<std::string> {
    if (!r1::eval::is_safe_path(path)) std::abort();
    const auto found = kFiles.find(path);
    return found == kFiles.end() ? std::nullopt : std::optional(found->second);
  };
  try {
    for (const auto& [path, content] : r1::eval::apply_unified_diff(text, read)) {
      if (!r1::eval::is_safe_path(path)) std::abort();
    }
  } catch (const r1::Error&) {
  }
}

void check_edits(std::string_view text) {
  const std::vector<std::string> names{"a.py", "dir/b"};
  for (const auto format : {r1::eval::EditFormat::search_replace, r1::eval::EditFormat::whole,
                            r1::eval::EditFormat::unified_diff}) {
    r1::eval::FileContents files = kFiles;
    const r1::eval::ReadEdits read = r1::eval::read_edits(text, format, names);
    r1::eval::apply_edits(read.edits, files);
    for (const auto& [path, content] : files) {
      if (!r1::eval::is_safe_path(path)) std::abort();
    }
  }
}

void check_pickle(std::string_view text) {
  try {
    if (r1::eval::read_pickled_string(text).size() > 2 * text.size()) std::abort();
  } catch (const r1::Error&) {
  }
  try {
    if (r1::eval::unpack_string(text, 1 << 20).size() > (2 << 20)) std::abort();
  } catch (const r1::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      check_pickle(text);
      break;
    case 1:
      check_diff(text);
      break;
    case 2:
      check_edits(text);
      break;
    default: {
      const size_t half = text.size() / 2;
      const bool same = r1::eval::same_output(text.substr(0, half), text.substr(half));
      if (same != r1::eval::same_output(text.substr(half), text.substr(0, half))) std::abort();
      if (!r1::eval::same_output(text, text)) std::abort();
      r1::eval::between_last_fences(text);
      r1::eval::diff_in_answer(text);
    }
  }
  return 0;
}
