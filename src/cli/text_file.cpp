#include "cli/text_file.h"

#include <fstream>
#include <iterator>

#include "base/error.h"

namespace r1::cli {

std::string read_all(std::istream& in, const std::string& name) {
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) throw_error(ErrorKind::io, "{}: cannot be read to its end", name);
  return text;
}

std::string read_text_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    throw_error(ErrorKind::io, "{}: expected a file, found a directory", path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) throw_error(ErrorKind::io, "{}: cannot open", path.string());
  return read_all(in, path.string());
}

}  // namespace r1::cli
