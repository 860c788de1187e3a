#include "cli/shipped_model.h"

#include "base/error.h"

namespace r1::cli {

namespace fs = std::filesystem;

fs::path locate_shipped_model(const std::string& usage) {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  fs::path beside = folder / "models" / kShippedModelFile;
  if (fs::exists(beside)) return beside;
  fs::path installed = folder.parent_path() / "share" / "r1" / "models" / kShippedModelFile;
  if (fs::exists(installed)) return installed;
  throw_error(
      ErrorKind::invalid_argument,
      "which model? {} (a GGUF file, a hub directory, or a pulled model); the one that ships with r1 is "
      "neither at {} nor at {}",
      usage, beside.string(), installed.string());
}

}  // namespace r1::cli
