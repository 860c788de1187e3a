#include "train/checkpoint.h"

#include <fmt/format.h>

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& output) {
  return output / "checkpoints";
}

// The .json files, newest first.
std::vector<fs::path> list(const fs::path& output) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(output), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".json")) files.push_back(entry.path());
  }
  std::sort(files.rbegin(), files.rend());
  return files;
}

fs::path weights_of(fs::path json) {
  return json.replace_extension(".safetensors");
}

void remove_checkpoint(const fs::path& json) {
  std::error_code error;
  fs::remove(json, error);  // first: what is left then does not count
  fs::remove(weights_of(json), error);
}

// Calls body(name, bytes) for all that is kept.
template <typename Body>
void for_each_array(const ParameterStore& store, Optimiser& optimiser, const Body& body) {
  for (const Parameter& parameter : store.all()) {
    body("weights/" + parameter.name,
         std::span<std::byte>(reinterpret_cast<std::byte*>(parameter.values),
                              static_cast<size_t>(parameter.count) * sizeof(float)));
  }
  for (const StateArray& array : optimiser.state()) body(array.name, array.bytes);
}

}  // namespace

std::string file_sha256(const fs::path& path) {
  // Read, not mapped: a checkpoint's pages would stand beside all that a run holds and be its peak of memory.
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_error(ErrorKind::io, "{}: cannot open", path.string());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(size_t{1} << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    EVP_DigestUpdate(digest.get(), buffer.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.eof()) throw_error(ErrorKind::io, "{}: cannot read", path.string());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &count);
  std::string text;
  for (unsigned int i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

void write_checkpoint(const fs::path& output, int64_t step, nlohmann::json progress,
                      const ParameterStore& store, Optimiser& optimiser, int64_t keep) {
  const fs::path folder = folder_of(output);
  fs::create_directories(folder);
  const fs::path json = folder / fmt::format("step-{:08}.json", step);
  remove_checkpoint(json);
  SafetensorsWriter writer(weights_of(json));
  for_each_array(store, optimiser, [&](const std::string& name, std::span<std::byte> bytes) {
    const auto count = static_cast<int64_t>(bytes.size());
    writer.declare_tensor(name, DType::i8, {&count, 1});
  });
  for_each_array(store, optimiser,
                 [&](const std::string&, std::span<std::byte> bytes) { writer.append(bytes); });
  writer.finish();
  progress["format"] = 1;
  progress["bytes"] = fs::file_size(weights_of(json));
  progress["sha256"] = file_sha256(weights_of(json));
  OutputFile file(json);
  file.write(progress.dump(1) + "\n");
  file.finish();
  const std::vector<fs::path> files = list(output);
  for (size_t i = static_cast<size_t>(std::max<int64_t>(1, keep)); i < files.size(); ++i)
    remove_checkpoint(files[i]);
}

std::optional<fs::path> find_checkpoint(const fs::path& output,
                                        const std::function<void(const std::string&)>& remark) {
  for (const fs::path& json : list(output)) {
    try {
      const nlohmann::json text = read_json(json);
      const std::string found = file_sha256(weights_of(json));
      if (found == text.at("sha256").get<std::string>()) return json;
      if (remark) remark(fmt::format("{}: damaged (its SHA-256 differs): passed over", json.string()));
    } catch (const std::exception& error) {
      if (remark) remark(fmt::format("{}: passed over: {}", json.string(), error.what()));
    }
  }
  return std::nullopt;
}

bool has_checkpoints(const fs::path& output) {
  return !list(output).empty();
}

void remove_checkpoints(const fs::path& output) {
  for (const fs::path& json : list(output)) remove_checkpoint(json);
}

nlohmann::json read_progress(const fs::path& json) {
  try {
    nlohmann::json progress = read_json(json);
    if (progress.at("format").get<int>() != 1) {
      throw_error(ErrorKind::unsupported, "{}: format: expected 1, found {}", json.string(),
                  progress.at("format").get<int>());
    }
    return progress;
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", json.string(), error.what());
  }
}

void read_checkpoint(const fs::path& json, ParameterStore& store, Optimiser& optimiser) {
  const SafetensorsFile file = SafetensorsFile::open(weights_of(json));
  for_each_array(store, optimiser, [&](const std::string& name, std::span<std::byte> bytes) {
    const TensorView* tensor = file.find(name);
    if (tensor == nullptr || tensor->bytes != bytes.size()) {
      throw_error(ErrorKind::bad_file,
                  "{}: '{}': expected {} bytes, found {}; was another model trained here?",
                  weights_of(json).string(), name, bytes.size(),
                  tensor == nullptr ? "none" : std::to_string(tensor->bytes));
    }
    std::memcpy(bytes.data(), tensor->data, bytes.size());
  });
}

}  // namespace r1
