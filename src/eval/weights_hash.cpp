#include "eval/weights_hash.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "formats/download.h"
#include "formats/sha256.h"

namespace r1::eval {

namespace fs = std::filesystem;

std::string weights_hash(const ModelFile& model, std::span<const std::string> overrides) {
  std::vector<fs::path> files = model.files();
  if (model.form() == ModelFile::Form::hub) {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}) {
      fs::path path = model.path() / name;
      if (fs::exists(path)) files.push_back(std::move(path));
    }
  }
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
  if (files.size() == 1 && overrides.empty()) return content_hash(files.front(), false);
  std::string text;
  for (const fs::path& file : files)
    text += content_hash(file, false) + "  " + file.filename().string() + "\n";
  for (const std::string& change : overrides) text += change + "\n";
  return sha256(text);
}

}  // namespace r1::eval
