#include "eval/data_location.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "base/error.h"

namespace r1::eval {
namespace {

namespace fs = std::filesystem;

std::string advice(const Benchmark& benchmark) {
  const DataSource& data = benchmark.data;
  if (!data.repository.empty() || !data.url.empty())
    return fmt::format("`r1 eval fetch {}` fetches it, --data FILE names it", benchmark.name);
  return fmt::format("name it with --data FILE{}{}", data.licence.empty() ? "" : "; ", data.licence);
}

}  // namespace

fs::path data_folder() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
    return fs::path(data) / "r1" / "evals";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0')
    throw_error(ErrorKind::io,
                "the data of benchmarks: neither XDG_DATA_HOME nor HOME is set (name it with --data)");
  return fs::path(home) / ".local" / "share" / "r1" / "evals";
}

fs::path find_data(const Benchmark& benchmark, const std::string& given) {
  fs::path place = given.empty() ? data_folder() : fs::path(given);
  std::error_code ignored;
  if (!given.empty() && !fs::exists(place, ignored))
    throw_error(ErrorKind::io, "--data {}: no such file or folder", given);
  if (!given.empty() && !fs::is_directory(place, ignored)) return place;
  if (benchmark.data.files.empty()) {
    throw_error(ErrorKind::invalid_argument, "{}: a task for your own data: name its file with --data FILE",
                benchmark.name);
  }
  for (const std::string& file : benchmark.data.files) {
    for (const fs::path& path : {place / file, place / fs::path(file).filename()}) {
      if (fs::is_regular_file(path, ignored)) return path;
    }
  }
  throw_error(ErrorKind::io, "{}: its data is not in {} (looked for {}): {}", benchmark.name, place.string(),
              fmt::join(benchmark.data.files, ", "), advice(benchmark));
}

fs::path find_examples(const Benchmark& benchmark, const fs::path& data_file) {
  if (benchmark.data.examples_file.empty()) return {};
  const fs::path path = data_file.parent_path() / fs::path(benchmark.data.examples_file).filename();
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? path : fs::path();
}

}  // namespace r1::eval
