#include "eval/code/project_files.h"

#include <fstream>
#include <iterator>
#include <system_error>

#include "base/error.h"
#include "eval/code/file_edits.h"

namespace r1::eval {

namespace files = std::filesystem;

std::optional<std::string> read_project_file(const files::path& folder, const std::string& path) {
  constexpr uintmax_t kMaxBytes = 16 << 20;
  if (!is_safe_path(path))
    throw_error(ErrorKind::bad_file, "the path '{}' is not one inside the project", path);
  std::error_code error;
  const files::path root = files::canonical(folder, error);
  if (error) throw_error(ErrorKind::io, "{}: {}", folder.string(), error.message());
  const files::path file = files::weakly_canonical(root / path, error);
  const files::path inside = file.lexically_relative(root);
  if (error || inside.empty() || *inside.begin() == "..") {
    throw_error(ErrorKind::bad_file, "the path '{}' leads out of the project", path);
  }
  if (!files::is_regular_file(file, error)) return std::nullopt;
  if (files::file_size(file, error) > kMaxBytes) {
    throw_error(ErrorKind::io, "{}: larger than {} MiB", file.string(), kMaxBytes >> 20);
  }
  std::ifstream stream(file, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream.good() && !stream.eof()) throw_error(ErrorKind::io, "{}: cannot be read", file.string());
  return content;
}

std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace r1::eval
